"""The libraries of LiveKit, or in plain words which extra brings them."""

from __future__ import annotations

from importlib import import_module

from ...core.errors import InvalidConfig

__all__ = ("require_library",)


def require_library() -> None:
    """Do nothing if LiveKit's own libraries are installed.

    Raises:
        InvalidConfig: They are not; the error names the extra.
    """
    try:
        import_module("livekit.api")
    except ModuleNotFoundError as error:
        raise InvalidConfig(
            "rooms",
            f"LiveKit, which needs {error.name}",
            'after: pip install "voicesession[livekit]"',
        ) from error
