"""The words of the user that are not answered yet."""

from __future__ import annotations

from attrs import frozen

from .tokens import tokens

__all__ = ("Turn", "UserTurn")


@frozen(kw_only=True)
class Turn:
    """A committed turn: its final texts in order, and when they were said."""

    texts: tuple[str, ...]
    start_us: int
    end_us: int

    @property
    def text(self) -> str:
        """All that was said, as the agent is asked it."""
        return " ".join(self.texts)


class UserTurn:
    """A turn in the making: final texts, and what the recogniser thinks comes next.

    Attributes:
        texts: Final, in the order in which they came.
        interim: Not final yet; empty when nothing is pending.
        is_empty: Nothing was said, not even in the interim.
        start_us: When the first word of it was said.
        said: Tokens said since the agent took the floor, interim ones too.
        revision: Grows with every change, so that nobody has to compare words to see one.
    """

    __slots__ = (
        "_end_us",
        "_floor_taken_us",
        "_interim_end_us",
        "_said_before",
        "_said_from_text",
        "_said_start_us",
        "interim",
        "is_empty",
        "revision",
        "said",
        "start_us",
        "texts",
    )

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.interim = ""
        self.is_empty = True
        self.start_us = 0
        self.said: tuple[str, ...] = ()
        self.revision = 0
        self._end_us = 0
        self._interim_end_us = 0
        self._floor_taken_us = 0
        self._said_from_text = 0
        self._said_before = 0
        self._said_start_us = 0

    @property
    def text(self) -> str:
        """All that was said so far, interim words last."""
        return " ".join([*self.texts, self.interim] if self.interim else self.texts)

    @property
    def said_us(self) -> int:
        """How long it took to say what was said since the agent took the floor."""
        end_us = self._interim_end_us if self.interim else self._end_us
        return max(0, end_us - self._said_start_us) if self.said else 0

    def add(self, text: str, start_us: int, end_us: int) -> None:
        """Take final words; they stand for the interim ones."""
        self._first_said(start_us)
        self.texts.append(text)
        self._end_us = max(self._end_us, end_us)
        self.interim = ""
        self._changed()

    def think(self, text: str, start_us: int = 0, end_us: int = 0) -> None:
        """Take what the recogniser thinks so far, in place of what it thought before."""
        if text != self.interim:
            if text:
                self._first_said(start_us)
            self.interim = text
            self._changed()
        self._interim_end_us = end_us

    def agent_took_floor(self, at_us: int) -> None:
        """Take that what is said from now on is said to an agent who has the floor."""
        self._said_from_text = len(self.texts)
        self._said_before = len(tokens(self.interim))
        self._floor_taken_us = at_us
        self._changed()

    def take(self) -> Turn:
        """Return the final words as a turn and forget everything; no interim is pending."""
        turn = Turn(texts=tuple(self.texts), start_us=self.start_us, end_us=self._end_us)
        self.texts.clear()
        self._said_from_text = self._said_before = 0
        self._end_us = 0
        self._changed()
        return turn

    def reopen(self, turn: Turn) -> None:
        """Put the words of *turn* before those that were said after it."""
        self.texts[:0] = turn.texts
        self.start_us = turn.start_us
        self._end_us = max(self._end_us, turn.end_us)
        self._said_from_text += len(turn.texts)
        self._changed()

    def _first_said(self, start_us: int) -> None:
        if self.is_empty:
            self.start_us = start_us
        if not self.said:
            self._said_start_us = max(start_us, self._floor_taken_us)

    def _changed(self) -> None:
        self.revision += 1
        self.is_empty = not self.texts and not self.interim
        since = " ".join([*self.texts[self._said_from_text :], self.interim])
        self.said = tokens(since)[self._said_before :]
