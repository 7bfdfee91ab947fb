"""Sessions that are held open for ``runtime.py``, as a server holds them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from runtime_engines import HURRIED

from voicesession.core.admission import AdmissionPolicy
from voicesession.core.session import Session
from voicesession.ports.clock import Clock
from voicesession.runtime.clock import SystemClock
from voicesession.runtime.live import VoiceSession
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.pipeline import Pipeline, SessionConfig
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage

__all__ = ("Hosts", "manager", "opened")


def manager(clock: Clock | None = None) -> SessionManager:
    return SessionManager(
        Services(
            clock=clock or SystemClock(),
            storage=MemoryStorage(),
            worker_id="bench",
            admission=AdmissionPolicy(per_user=None),
        )
    )


class Hosts:
    """Keeps conversations open, each in a task of its own, as a server does."""

    def __init__(self, voice: SessionManager, config: SessionConfig) -> None:
        self._voice = voice
        self._config = config
        self._over = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def open(self, session: Session, pipeline: Pipeline) -> VoiceSession:
        opened: asyncio.Future[VoiceSession] = asyncio.get_running_loop().create_future()

        async def host() -> None:
            async with self._voice.converse(session.id, pipeline, config=self._config) as call:
                opened.set_result(call)
                await self._over.wait()

        def hand_on(task: asyncio.Task[None]) -> None:
            if not opened.done() and (error := task.exception()) is not None:
                opened.set_exception(error)

        self.tasks.append(task := asyncio.create_task(host()))
        task.add_done_callback(hand_on)
        return await opened

    async def close(self) -> None:
        self._over.set()
        await asyncio.gather(*self.tasks)


async def opened(
    stack: AsyncExitStack, count: int, pipeline: Pipeline, clock: Clock | None = None
) -> list[VoiceSession]:
    voice = await stack.enter_async_context(manager(clock))
    hosts = Hosts(voice, SessionConfig(floor=HURRIED))
    stack.push_async_callback(hosts.close)
    return [await hosts.open(await voice.create(), pipeline) for _ in range(count)]
