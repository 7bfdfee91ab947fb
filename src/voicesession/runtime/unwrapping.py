"""A block of ours has a task group inside; its user's exception comes out as it went in."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

__all__ = ("unwrapped",)


@contextmanager
def unwrapped(raised: BaseException | None) -> Generator[None]:
    """Raise *raised* itself where a group of it alone would be raised.

    A task group wraps whatever left its block, so that a host's `except` would not match
    what the host raised. What failed beside it is never hidden: then the group stays.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        if raised is not None and group.exceptions == (raised,):
            raise raised from raised.__cause__
        raise
