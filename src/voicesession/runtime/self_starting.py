"""A conversation that begins when somebody says something, and costs nothing before."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup, TaskStatus

from ..core.errors import VoiceSessionError, WrongThread
from .gate import Gate
from .happenings import Failed
from .live import VoiceSession, not_started
from .opening import joining
from .playout import AgentAudio
from .speech_handle import SpeechHandle
from .unwrapping import unwrapped

__all__ = ("SelfStartingSession",)


class SelfStartingSession(VoiceSession):
    """A `VoiceSession` with ``auto_start``: the first audio or the first `say` starts it.

    Whoever comes first, in whichever task of the block: the engines stay open until the block
    is left. So they are opened in a task of their own, which is left in the order of the block.
    """

    __slots__ = (
        "_block_thread",
        "_decided",
        "_failure",
        "_host",
        "_is_started",
        "_left",
        "_promised",
        "_starting",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._host: TaskGroup | None = None
        self._block_thread = 0
        self._starting = Gate()
        self._is_started = False
        self._decided = anyio.Event()
        self._left = anyio.Event()
        self._failure: BaseException | None = None
        self._promised: list[tuple[SpeechHandle, str, bool]] = []

    async def __aenter__(self) -> Self:
        with joining(self._handle, self._pipeline, self._services):
            self._block_thread = threading.get_ident()
            self._host = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._failure = exc if isinstance(exc, Exception) else None
        self._left.set()
        self._decided.set()
        if exc is None:
            await self.stop()
        host = self._in_block()
        if not self._is_started:
            host.cancel_scope.cancel()
        self._break_promises()
        self._streams.close()
        with unwrapped(exc):
            await host.__aexit__(None, None, None)

    async def process_audio(self, frame: bytes) -> None:
        """Take audio of the caller; the first of it starts the session.

        Raises:
            As `VoiceSession.process_audio` and, if it starts the session, `VoiceSession.start`:
            then it is as it was, and the next call tries again.
        """
        if not self._is_started and not self.is_over:
            await self._start_once()
        await super().process_audio(frame)

    def say(self, text: str, *, interruptible: bool = True) -> SpeechHandle:
        """Speak *text*; the first call starts the session, and *text* is spoken once it is LIVE.

        Should it not start, listeners are told `Failed` and the speech is over unheard.
        """
        if self._is_started or self.is_over:
            return super().say(text, interruptible=interruptible)
        host = self._in_block()
        speech = SpeechHandle()
        self._promised.append((speech, text, interruptible))
        host.start_soon(self._start_to_speak)
        return speech

    async def audio(self) -> AsyncGenerator[AgentAudio]:
        """Yield the agent's audio when it is due, from the start on, until the session is over."""
        await self._decided.wait()
        if self._is_started:
            async with aclosing(super().audio()) as pieces:
                async for piece in pieces:
                    yield piece

    # --- inside -------------------------------------------------------------------------------

    def _check_open(self) -> None:
        self._in_block()

    def _in_block(self) -> TaskGroup:
        if self._host is None:
            raise not_started(self.session)
        if self._block_thread != threading.get_ident():
            raise WrongThread(f"session {self.session.id} belongs to another thread")
        return self._host

    async def _start_once(self) -> None:
        host = self._in_block()
        async with self._starting:
            if not self._is_started and not self.is_over:
                await host.start(self._run)
                self._is_started = True
                self._decided.set()
                for speech, text, interruptible in self._promised:
                    self._conductor.say(text, interruptible=interruptible, speech=speech)
                self._promised.clear()

    async def _start_to_speak(self) -> None:
        try:
            await self._start_once()
        except VoiceSessionError as error:
            self._handle.tell(Failed(error))
            self._break_promises()

    def _break_promises(self) -> None:
        for speech, _, _ in self._promised:
            speech.finish("", interrupted=True)
        self._promised.clear()

    async def _run(self, *, task_status: TaskStatus[None]) -> None:
        await self.start()
        task_status.started()
        try:
            await self._left.wait()
        except BaseException as cancelled:
            await super().__aexit__(type(cancelled), cancelled, cancelled.__traceback__)
            raise
        failure = self._failure
        try:
            await super().__aexit__(type(failure) if failure else None, failure, None)
        except Exception as raised:
            if raised is not failure:  # the block itself raises that
                raise
