"""The agent's side: replies in the making, and their audio on its way out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

from anyio.abc import TaskGroup

from ..core.errors import ProviderError
from ..core.floor.conversation import Conversation
from ..core.floor.effects import Effects, ReplyId
from ..core.heard import SpeechMark
from ..ports.agent import Prompt, ToolCall
from ..ports.clock import Clock
from .bell import Bell
from .busy import Busy
from .crew import Crew
from .handle import SessionHandle
from .happenings import Failed, ReplyCleared, ReplyStarted, ToolCalled
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

    __slots__ = (
        "_changed",
        "_clock",
        "_crew",
        "_handle",
        "_hanging_up",
        "_keeper",
        "_making",
        "_most_unplayed_us",
        "_playout",
        "_tasks",
        "_unheard",
        "busy",
        "silent_since_us",
    )

    def __init__(
        self,
        tasks: TaskGroup,
        crew: Crew,
        clock: Clock,
        handle: SessionHandle,
        keeper: FloorKeeper,
        unplayed_us: int,
    ) -> None:
        self._tasks = tasks
        self._crew = crew
        self._clock = clock
        self._handle = handle
        self._keeper = keeper
        self._most_unplayed_us = unplayed_us
        self._playout = Playout(handle.audio_format.sample_rate)
        self._making: dict[ReplyId, Reply] = {}
        self._hanging_up: tuple[ReplyId, ...] = ()
        self._unheard: ReplyId | None = None
        self._changed = Bell()
        self.silent_since_us: int | None = None
        """When the user fell silent, on the clock; None where nobody waits for an answer."""
        self.busy = Busy()

    # --- what the floor wants ---------------------------------------------------------------

    def answer(self, reply_id: ReplyId, prompt: Prompt, *, speculative: bool) -> None:
        """Start making a reply to *prompt*; a speculative one may do nothing yet."""
        reply = self._begin(reply_id)
        if not speculative:
            reply.commit()
        self._tasks.start_soon(self._make, reply, lambda: reply.answer(self._crew.agents, prompt))

    def say(self, reply_id: ReplyId, text: str) -> None:
        """Start making the sound of *text*."""
        reply = self._begin(reply_id)
        self._tasks.start_soon(self._make, reply, lambda: reply.say(text))

    def commit(self, reply_id: ReplyId) -> None:
        """Let a reply do what it has put off."""
        if (reply := self._making.get(reply_id)) is not None:
            reply.commit()

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
        self._playout.drop(reply_id)
        self._handle.tell(ReplyCleared(reply_id))
        self.forget(reply_id)

    def forget(self, reply_id: ReplyId) -> None:
        """Drop what is left of a reply that is over."""
        self._playout.drop(reply_id)
        if (reply := self._making.get(reply_id)) is not None:
            reply.scope.cancel()
        self.note_change()

    def hangs_up_after(self, reply_id: ReplyId) -> bool:
        """Whether the agent wanted the session to end with this reply."""
        return reply_id in self._hanging_up

    # --- its sound ----------------------------------------------------------------------------

    def take(self) -> AgentAudio | None:
        """Return the next piece if it is due."""
        piece = self._playout.take(self._clock.monotonic_us())
        if piece is not None:
            if piece.reply_id == self._unheard:
                self._unheard = None
                self._tell_start(piece.reply_id)
            self.note_change()
        return piece

    async def audio(self) -> AsyncGenerator[AgentAudio]:
        """Yield each piece when it is due; one that is not due any more is never yielded."""
        while not self._handle.is_over:
            if (piece := self.take()) is not None:
                yield piece
            elif (due_us := self._playout.next_due_us) is not None:
                await self._clock.sleep_until(due_us)
            else:
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
        self._hanging_up += (reply_id,)

    def tool_called(self, reply_id: ReplyId, call: ToolCall) -> None:
        self._handle.tell(
            ToolCalled(reply_id=reply_id, name=call.name, side_effects=call.side_effects)
        )

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
        with self.busy.resting():
            while self._playout.unplayed_us(reply_id) > self._most_unplayed_us:
                await self._changed.wait()

    # --- inside ---------------------------------------------------------------------------------

    def _begin(self, reply_id: ReplyId) -> Reply:
        self.busy.begin()
        self._making[reply_id] = reply = Reply(
            reply_id,
            self,
            self.busy,
            self._crew.tts,
            sample_rate=self._handle.audio_format.sample_rate,
            language=self._handle.session.language,
        )
        return reply

    async def _make(self, reply: Reply, make: Callable[[], Awaitable[None]]) -> None:
        try:
            with reply.scope:
                await make()
        finally:
            del self._making[reply.id]
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
        self._changed.ring()
