"""
One reply, from the agent's first word to the last sample of its audio.

The text is cut into sentences as it comes, and each is synthesised while the agent goes
on; what this finds out is reported to the floor, which alone decides what is heard.

What the engines use for it is told as it happens, but for a reply that was begun before the turn
was over: whether that was wanted, or waste, is known when it is committed, or dropped.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Protocol

import anyio

from ..core.errors import ProviderError, VoiceSessionError
from ..core.floor.effects import ReplyId
from ..core.meters import Meter
from ..core.sentences import SentenceCutter
from ..ports.agent import Agent, HangUp, Prompt, ReplyPart, ToolCall
from ..ports.speech import TextToSpeech
from .bell import Bell
from .busy import Busy
from .chain import Link
from .engines import Engines, as_provider_error
from .expenses import Expenses
from .synthesis import SpeechSink, Synthesis

__all__ = ("Reply", "ReplySink")


class ReplySink(SpeechSink, Protocol):
    """Where a reply reports to."""

    def text(self, reply_id: ReplyId, text: str) -> None: ...
    def text_finished(self, reply_id: ReplyId, error: ProviderError | None) -> None: ...
    def hang_up_after(self, reply_id: ReplyId) -> None: ...
    def tool_called(self, reply_id: ReplyId, call: ToolCall) -> None: ...
    def speech_finished(self, reply_id: ReplyId, error: ProviderError | None) -> None: ...


class Reply:
    """Makes the text and the sound of one reply.

    Attributes:
        scope: Where it is made; cancelling it stops both soon.

    Args:
        busy: Counts this reply.
    """

    __slots__ = (
        "_busy",
        "_committed",
        "_cutter",
        "_expenses",
        "_failure",
        "_has_effects",
        "_sink",
        "_synthesis",
        "id",
        "scope",
    )

    def __init__(
        self,
        reply_id: ReplyId,
        sink: ReplySink,
        busy: Busy,
        tts: Engines[TextToSpeech],
        *,
        sample_rate: int,
        language: str,
    ) -> None:
        self.id = reply_id
        self.scope = anyio.CancelScope()
        self._sink = sink
        self._busy = busy
        self._cutter = SentenceCutter()
        self._committed = Bell()
        self._expenses = Expenses()
        self._synthesis = Synthesis(
            reply_id,
            sink,
            busy,
            tts,
            self._expenses,
            sample_rate=sample_rate,
            language=language,
        )
        self._has_effects = False
        self._failure: ProviderError | None = None

    async def answer(self, agents: Engines[Agent], prompt: Prompt) -> None:
        """Have *prompt* answered, and speak the answer while it comes."""
        try:
            failure = await self._write(agents, prompt)
            self._sink.text_finished(self.id, failure)
            await self._finish()
            if self._expenses:
                await self._commitment()
        finally:
            self._expenses.tell(wasted=True)

    def commit(self) -> None:
        """Take that the turn is over: tools that change something may be called now."""
        self._expenses.are_wanted = True
        self._expenses.tell(wasted=False)
        self._committed.ring()

    async def say(self, text: str) -> None:
        """Speak *text*, which the floor knows already."""
        self.commit()
        await self._speak_all(self._cutter.push(text))
        await self._finish()

    async def _write(self, agents: Engines[Agent], prompt: Prompt) -> ProviderError | None:
        """Take an agent's text; return what went wrong, instead of raising it."""
        attempts = agents.attempts(self._busy)
        while True:
            try:
                link = await attempts.next()
            except VoiceSessionError as error:
                return as_provider_error(agents.chain.name, error)
            try:
                await self._write_with(agents, link, prompt)
            except Exception as error:  # noqa: BLE001 - an agent is the host's own code
                attempts.failed(link, error)
                if self._has_effects:
                    # What came is spoken and done; another answer would begin all over.
                    return as_provider_error(link.name, error)
            else:
                return None

    async def _write_with(self, agents: Engines[Agent], link: Link[Agent], prompt: Prompt) -> None:
        with agents.patience(link) as patience:
            async with aclosing(link.engine.reply(prompt)) as parts:
                async for part in parts:
                    agents.waited(link, patience.rest())
                    agents.took_over(link)
                    await self._take(agents, link, part)
                    # How long a tool takes is not the agent's fault.
                    if not isinstance(part, ToolCall):
                        patience.renew()
        agents.succeeded(link)

    async def _take(self, agents: Engines[Agent], link: Link[Agent], part: ReplyPart) -> None:
        if isinstance(part, str):
            self._has_effects = True
            self._sink.text(self.id, part)
            await self._speak_all(self._cutter.push(part))
        elif isinstance(part, ToolCall):
            await self._give_leave(part)
        elif isinstance(part, HangUp):
            self._sink.hang_up_after(self.id)
        else:
            used = {Meter.LLM_INPUT_TOKENS: part.input, Meter.LLM_OUTPUT_TOKENS: part.output}
            self._expenses.use(agents, link, used)

    async def _give_leave(self, call: ToolCall) -> None:
        """Return when the agent may make *call*."""
        if call.side_effects:
            await self._commitment()
            self._has_effects = True
        self._sink.tool_called(self.id, call)

    async def _commitment(self) -> None:
        """Return once the turn is over and this reply answers it. Meanwhile nothing is done."""
        with self._busy.resting():
            while not self._expenses.are_wanted:
                await self._committed.wait()

    async def _finish(self) -> None:
        await self._speak_all([self._cutter.rest()])
        if self._failure is None:
            await self._synthesis.finish()
        self._sink.speech_finished(self.id, self._failure)

    async def _speak_all(self, sentences: list[str]) -> None:
        """Synthesise *sentences*, unless that has failed on this reply before."""
        for sentence in sentences:
            if self._failure is None:
                try:
                    await self._synthesis.speak(sentence)
                except ProviderError as error:
                    self._failure = error
