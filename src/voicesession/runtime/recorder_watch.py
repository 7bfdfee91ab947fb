"""Noticing that a recording is not whole any more, while there is time to do something."""

from __future__ import annotations

from collections.abc import Callable

from .happenings import RecorderDegraded
from .tape import Tape

__all__ = ("RecorderWatch",)


class RecorderWatch:
    """Tells of each new problem of what is recorded on *tape*, once."""

    __slots__ = (
        "_known",
        "_tape",
        "_tell",
    )

    def __init__(self, tape: Tape, tell: Callable[[object], None]) -> None:
        self._tape = tape
        self._tell = tell
        self._known = 0

    def look(self) -> None:
        """See whether there is a new problem."""
        problems = self._tape.problems
        if len(problems) == self._known:
            return
        for problem in problems[self._known :]:
            self._tell(RecorderDegraded(problem))
        # Fewer again where another recording has begun.
        self._known = len(problems)
