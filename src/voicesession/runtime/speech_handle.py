"""What a host holds after ``say``: one speech, on its way to the user's ear."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from ..core.floor.effects import ReplyId

__all__ = ("SpeechHandle",)


class SpeechHandle:
    """One ``say``. It is over when it has been heard, interrupted or cancelled."""

    def __init__(self) -> None:
        self.reply_id: ReplyId | None = None
        """None until it has a place in the conversation, and where it never gets one."""
        self._interrupt: Callable[[], None] | None = None
        self._over = anyio.Event()
        self._spoken_text = ""
        self._interrupted = False

    @property
    def is_over(self) -> bool:
        """Whether ``wait_for_playout`` would return at once."""
        return self._over.is_set()

    @property
    def spoken_text(self) -> str:
        """What was heard; final once ``wait_for_playout`` has returned, empty before."""
        return self._spoken_text

    @property
    def interrupted(self) -> bool:
        """Whether it was cut short, or never heard at all."""
        return self._interrupted

    async def wait_for_playout(self) -> None:
        """Return when it is over, heard or not."""
        await self._over.wait()

    def interrupt(self) -> None:
        """Stop it, if it is being spoken or waits to be, and whatever else the agent says."""
        if self.is_over:
            return
        if self._interrupt is None:
            self.finish("", interrupted=True)
        else:
            self._interrupt()

    def begin(self, reply_id: ReplyId | None, *, interrupt: Callable[[], None]) -> None:
        """For the session: it is this reply; None where the floor is closed to it."""
        self.reply_id = reply_id
        self._interrupt = interrupt
        if reply_id is None:
            self.finish("", interrupted=True)

    def finish(self, spoken_text: str, *, interrupted: bool) -> None:
        """For the session: say how it ended."""
        self._spoken_text = spoken_text
        self._interrupted = interrupted
        self._over.set()
