"""Which LiveKit server it is, and the key to it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from attrs import field, frozen
from attrs.validators import optional

from ...core.errors import InvalidConfig

if TYPE_CHECKING:
    from ...schemas.settings import LiveKitSettings

__all__ = ("LiveKitServer",)

_SCHEMES: Final = frozenset({"ws", "wss", "http", "https"})
_SHORTEST_LIFE: Final = timedelta(seconds=30)
_LONGEST_LIFE: Final = timedelta(days=1)


def _is_url(_server: object, attribute: Any, value: Any) -> None:
    parts = _split(value)
    if parts is None or parts.scheme not in _SCHEMES or not parts.hostname:
        # It may hold a password, so no more of it is repeated than its scheme.
        told = f"{parts.scheme}://…" if parts is not None and parts.scheme else "no URL"
        raise InvalidConfig(attribute.name, told, "ws://…, wss://…, http://… or https://…")
    if parts.username is not None or parts.password is not None:
        raise InvalidConfig(attribute.name, "a URL with a user", "a URL without credentials")


def _split(value: Any) -> Any:
    try:
        return urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _is_named(_server: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise InvalidConfig(attribute.name, value, "text that is not empty")


def _is_secret(_server: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise InvalidConfig(attribute.name, "empty", "the secret of the API key")


def _is_life(_server: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, timedelta) or not _SHORTEST_LIFE <= value <= _LONGEST_LIFE:
        raise InvalidConfig(attribute.name, value, "a timedelta of 30 seconds to a day")


@frozen(kw_only=True)
class LiveKitServer:
    """A LiveKit server, and how its rooms are used.

    Attributes:
        url: As clients reach it.
        api_key: Signs tokens, together with its secret.
        token_life: How long a token opens the door of its room: 30 seconds to a day.
        agent_name: The agent that LiveKit calls into each room; None calls none by name.
        api_url: Where rooms are made in advance; None leaves that to the first who comes.

    Raises:
        InvalidConfig: A field holds what it may not. The error never holds the secret.
    """

    url: str = field(validator=_is_url)
    api_key: str = field(validator=_is_named)
    api_secret: str = field(validator=_is_secret, repr=False)
    token_life: timedelta = field(default=timedelta(hours=1), validator=_is_life)
    agent_name: str | None = field(default=None, validator=optional(_is_named))
    api_url: str | None = field(default=None, validator=optional(_is_url))

    @classmethod
    def of(cls, settings: LiveKitSettings) -> Self:
        """Return the server that the environment names: ``LIVEKIT_URL`` and what goes with it.

        Raises:
            InvalidConfig: It names none, or only a part of one, or a URL is none.
        """
        url, key, secret = settings.url, settings.api_key, settings.api_secret
        if url is None or key is None or secret is None:
            raise InvalidConfig(
                "LIVEKIT_URL", url, "a URL, together with LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
            )
        return cls(
            url=url,
            api_key=key,
            api_secret=secret.get_secret_value(),
            token_life=timedelta(seconds=settings.token_ttl_seconds),
            agent_name=settings.agent_name,
            api_url=settings.api_url,
        )
