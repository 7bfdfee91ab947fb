"""The agent's side: replies in the making, and their audio on its way out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from ..core.errors import ProviderError
from ..core.floor.conversation import Conversation
from ..core.floor.effects import Effects, ReplyId
from ..core.heard import SpeechMark
from ..ports.agent import ReplyPart
from ..ports.clock import Clock
from ..ports.speech import TextToSpeech
from .busy import Busy
from .handle import SessionHandle
from .happenings import Failed, ReplyCleared, ReplyStarted
from .playout import AgentAudio, Playout
from .replying import Reply

__all__ = ("Mouth",)


class FloorKeeper(Protocol):
    """Who is told what was found out about a reply, and does what follows from it."""

    @property
    def floor(self) -> Conversation: ...

    def carry_out(self, wanted: Effects, /) -> None: ...


class Mouth:
    """Makes replies and lets them out, one at a time, as the floor wants it.

    Args:
        unplayed_us: How much audio of a reply may wait to be played.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        tts: TextToSpeech,
        clock: Clock,
        handle: SessionHandle,
        keeper: FloorKeeper,
        unplayed_us: int,
    ) -> None:
        self._tasks = tasks
        self._tts = tts
        self._clock = clock
        self._handle = handle
        self._keeper = keeper
        self._most_unplayed_us = unplayed_us
        self._playout = Playout(handle.audio_format.sample_rate)
        self._making: dict[ReplyId, anyio.CancelScope] = {}
        self._hanging_up: set[ReplyId] = set()
        self._unheard: ReplyId | None = None
        self._changed = anyio.Event()
        self.silent_since_us: int | None = None
        """When the user fell silent, on the clock; None where nobody waits for an answer."""
        self.busy = Busy()

    # --- what the floor wants ---------------------------------------------------------------

    def answer(
        self, reply_id: ReplyId, agent: str, parts: Callable[[], AsyncGenerator[ReplyPart]]
    ) -> None:
        """Start making a reply of what *parts* yields; *agent* names who yields it."""
        reply = self._reply(reply_id)
        self._begin(reply_id, lambda: reply.answer(agent, parts))

    def say(self, reply_id: ReplyId, text: str) -> None:
        """Start making the sound of *text*."""
        reply = self._reply(reply_id)
        self._begin(reply_id, lambda: reply.say(text))

    def start(self, reply_id: ReplyId) -> None:
        """Let the reply out as soon as there is audio of it."""
        self._unheard = reply_id
        self._playout.start(reply_id, self._clock.monotonic_us())
        self.note_change()

    def hold(self) -> None:
        """Fall silent, and keep what is not played."""
        self._playout.hold()

    def release(self) -> None:
        """Go on where it was held."""
        self._playout.release(self._clock.monotonic_us())
        self.note_change()

    def stop(self, reply_id: ReplyId) -> None:
        """Fall silent at once and stop making the reply."""
        self.forget(reply_id)
        self._handle.tell(ReplyCleared(reply_id))

    def forget(self, reply_id: ReplyId) -> None:
        """Drop what is left of a reply that is over."""
        self._playout.drop(reply_id)
        if (making := self._making.get(reply_id)) is not None:
            making.cancel()
        self.note_change()

    def hangs_up_after(self, reply_id: ReplyId) -> bool:
        """Whether the agent wanted the session to end with this reply."""
        return reply_id in self._hanging_up

    # --- its sound ----------------------------------------------------------------------------

    @property
    def next_due_us(self) -> int | None:
        """When the next piece is due, on the clock; None until something changes."""
        return self._playout.next_due_us

    def take(self) -> list[AgentAudio]:
        """Return the pieces that are due now."""
        pieces = self._playout.take(self._clock.monotonic_us())
        if pieces:
            if pieces[0].reply_id == self._unheard:
                self._unheard = None
                self._tell_start(pieces[0].reply_id)
            self.note_change()
        return pieces

    async def change(self) -> None:
        """Return when there may be something new to take."""
        await self._changed.wait()

    # --- for the reply in the making (ReplySink) --------------------------------------------

    def text(self, reply_id: ReplyId, text: str) -> None:
        self._keeper.carry_out(self._keeper.floor.reply_text(self._at_us, reply_id, text))

    def text_finished(self, reply_id: ReplyId, error: ProviderError | None) -> None:
        if error is None:
            self._keeper.carry_out(self._keeper.floor.reply_finished(self._at_us, reply_id))
        else:
            self._handle.tell(Failed(error))
            self._keeper.carry_out(self._keeper.floor.reply_failed(self._at_us, reply_id))

    def hang_up_after(self, reply_id: ReplyId) -> None:
        self._hanging_up.add(reply_id)

    def speech(
        self, reply_id: ReplyId, pcm: bytes, *, text_end: int, marks: tuple[SpeechMark, ...]
    ) -> int:
        made_us = self._playout.add(reply_id, pcm)
        self._keeper.carry_out(
            self._keeper.floor.speech_made(self._at_us, reply_id, text_end, made_us, marks)
        )
        self.note_change()
        return made_us

    def speech_finished(self, reply_id: ReplyId, error: ProviderError | None) -> None:
        if error is not None:
            self._handle.tell(Failed(error))
            self._keeper.carry_out(self._keeper.floor.reply_failed(self._at_us, reply_id))
        self._playout.complete(reply_id)
        self._keeper.carry_out(self._keeper.floor.speech_finished(self._at_us, reply_id))
        self.note_change()

    async def room(self, reply_id: ReplyId) -> None:
        if self._playout.unplayed_us(reply_id) <= self._most_unplayed_us:
            return
        # Waiting to be heard is not work: nobody has to wait for us meanwhile.
        self.busy.done()
        try:
            while self._playout.unplayed_us(reply_id) > self._most_unplayed_us:
                await self._changed.wait()
        finally:
            self.busy.begin()

    # --- inside ---------------------------------------------------------------------------------

    def _reply(self, reply_id: ReplyId) -> Reply:
        return Reply(
            reply_id,
            self,
            self._tts,
            sample_rate=self._handle.audio_format.sample_rate,
            language=self._handle.session.language,
        )

    def _begin(self, reply_id: ReplyId, make: Callable[[], Awaitable[None]]) -> None:
        self._making[reply_id] = anyio.CancelScope()
        self.busy.begin()
        self._tasks.start_soon(self._make, reply_id, make)

    async def _make(self, reply_id: ReplyId, make: Callable[[], Awaitable[None]]) -> None:
        try:
            with self._making[reply_id]:
                await make()
        finally:
            del self._making[reply_id]
            self.busy.done()

    def _tell_start(self, reply_id: ReplyId) -> None:
        since, self.silent_since_us = self.silent_since_us, None
        latency_us = None if since is None else self._clock.monotonic_us() - since
        self._handle.tell(ReplyStarted(reply_id=reply_id, latency_us=latency_us))

    @property
    def _at_us(self) -> int:
        return self._handle.media_us

    def note_change(self) -> None:
        """Wake whoever waits for a change."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
