"""What another runtime reports in plain calls, written down in order by one task."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import anyio

from ..core.errors import LeaseLost, SessionNotActive, StoreUnavailable, VoiceSessionError
from ..core.meters import Meter
from ..core.utterance import Speaker, Utterance, UtteranceId
from ..runtime.handle import SessionHandle
from ..runtime.happenings import Failed

__all__ = ("Scribe", "Work")

Work: TypeAlias = Callable[[], Awaitable[object]]

_RETRY_S: Final = 0.5
_LAST_LINES_TAKE_AT_MOST_S: Final = 10.0


class Scribe:
    """Writes to a session on behalf of callbacks that cannot wait.

    While the store is away work waits, *most* pieces of it; what comes then is not taken, and
    the session's listeners are told.

    Args:
        most: Pieces of work that may wait.
    """

    def __init__(self, handle: SessionHandle, *, most: int = 1_000) -> None:
        self._handle = handle
        self._most = most
        self._kept = 0
        self._waiting: deque[Work] = deque()
        self._wake = anyio.Event()
        self._idle = anyio.Event()
        self._idle.set()

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[None]:
        """Write for the length of the block; what was asked for in it is written before its end."""
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write)
            try:
                yield
            except Exception as error:  # noqa: BLE001  # raised below, outside of the group
                failure = error
            finally:
                with anyio.move_on_after(_LAST_LINES_TAKE_AT_MOST_S, shield=True):
                    await self._idle.wait()
                tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    def do(self, work: Work) -> None:
        """Have *work* done behind all that was asked for before. Never blocks."""
        if len(self._waiting) >= self._most:
            self._handle.tell(Failed(StoreUnavailable("too much waits for the store already")))
            return
        self._waiting.append(work)
        self._idle = anyio.Event() if self._idle.is_set() else self._idle
        self._wake.set()

    def keep(
        self,
        speaker: Speaker,
        text: str,
        start_us: int,
        *,
        interrupted: bool = False,
        generated: str | None = None,
    ) -> None:
        """Have an utterance stored that ends where the session stands now.

        Args:
            text: What was said; of the agent, what was heard of it.
            generated: All that the agent was going to say.
        """
        self._kept += 1
        now_us = self._handle.media_us
        utterance = Utterance(
            # In the order of saying: media time stands still where nothing but text is sent.
            id=UtteranceId(f"utt_{self._handle.session.epoch:04}_{self._kept:06}"),
            speaker=speaker,
            start_us=min(start_us, now_us),
            end_us=now_us,
            text=text,
            generated_text=generated,
            spoken_text=text if speaker is Speaker.AGENT else None,
            interrupted=interrupted,
        )
        self.do(lambda: self._handle.final(utterance))

    def charge(self, counts: Mapping[Meter, int]) -> None:
        """Have usage booked; nothing where it is none."""
        used = {str(meter): amount for meter, amount in counts.items() if amount}
        if used:
            self.do(lambda: self._handle.charge(counts=used))

    async def written(self) -> None:
        """Return once everything asked for is written, or can never be."""
        await self._idle.wait()

    async def _write(self) -> None:
        while True:
            while self._waiting:
                await self._do(self._waiting[0])
                self._waiting.popleft()
            self._idle.set()
            self._wake = anyio.Event()
            await self._wake.wait()

    async def _do(self, work: Work) -> None:
        while True:
            try:
                await work()
            except StoreUnavailable as error:
                # Away for now; our lease ends if it stays so.
                self._handle.tell(Failed(error))
                if self._handle.is_over:
                    return
                await anyio.sleep(_RETRY_S)
            except (LeaseLost, SessionNotActive):
                return  # the session is somebody else's by now, or over: nothing more is ours
            except VoiceSessionError as error:
                self._handle.tell(Failed(error))
                return
            else:
                return
