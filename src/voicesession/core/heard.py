"""How much of a reply was heard before it was cut."""

from __future__ import annotations

from attrs import frozen

__all__ = ("SpeechMark",)


@frozen
class SpeechMark:
    """Up to ``text_end`` (an offset into the text) is spoken when ``at_us`` has been played."""

    text_end: int
    at_us: int
