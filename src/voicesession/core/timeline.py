"""
Two voices on one axis of media time, and what of it becomes the file.

A recording keeps each voice at its place in media time. Where nothing was written there
is silence. A *cut* leaves media time out of the file: what follows moves up. A *mask*
keeps the time and takes the sound. Everything is counted in sample frames; an instant
belongs to the frame that lies nearest to it.
"""

from __future__ import annotations

from enum import StrEnum

from attrs import field, frozen
from attrs.validators import ge, instance_of

__all__ = ("Span", "Track")


class Track(StrEnum):
    """Whose voice is recorded. The order is that of the channels: left, right."""

    USER = "user"
    AGENT = "agent"


def _is_not_empty(instance: Span, _attribute: object, to_us: int) -> None:
    if to_us <= instance.from_us:
        raise ValueError(f"to_us {to_us} does not lie after from_us {instance.from_us}")


@frozen(order=True)
class Span:
    """A stretch of media time in microseconds, from its start up to, not with, its end."""

    from_us: int = field(validator=[instance_of(int), ge(0)])
    to_us: int = field(validator=[instance_of(int), _is_not_empty])
