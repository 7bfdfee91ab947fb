"""What a conversation consists of while it is open, and in which order that comes to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup
from attrs import frozen

from ..core.utterance import Utterance
from .alarms import Alarms
from .conductor import Conductor
from .crew import Crew
from .handle import SessionHandle
from .hooks import HookRunner
from .pipeline import Pipeline, SessionConfig
from .services import Services
from .timekeeper import Timekeeper

if TYPE_CHECKING:
    from .live import VoiceSession

__all__ = ("Opened", "open_conversation")


@frozen(kw_only=True)
class Opened:
    """A conversation whose engines are open; whoever opened it closes it.

    Attributes:
        tasks: Where it runs.
        stop_telling: No part of it is told any more what happens.
    """

    tasks: TaskGroup
    conductor: Conductor
    time: Timekeeper
    stop_telling: tuple[Callable[[], None], ...]

    async def close(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> bool | None:
        """Cancel what runs, wait until it is gone, and give the engines back.

        Returns and raises what a task group does that is left with that exception.
        """
        self.tasks.cancel_scope.cancel()
        self.time.end()
        for stop in self.stop_telling:
            stop()
        try:
            return await self.tasks.__aexit__(exc_type, exc, traceback)
        finally:
            await self.conductor.ears.aclose()


async def open_conversation(
    call: VoiceSession,
    handle: SessionHandle,
    pipeline: Pipeline,
    services: Services,
    alarms: Alarms,
    config: SessionConfig,
) -> Opened:
    """Open the engines of *call* and bring its session to LIVE; if that fails, nothing is open.

    Raises:
        As `VoiceSession.start`.
    """
    await handle.ownership.spending.open()  # before engines cost anything
    said_before = await _said_before(handle, services)
    crew = Crew.of(pipeline, config, services, alarms, handle.tell)
    ears = await crew.listen(pipeline, handle, config)
    tasks = anyio.create_task_group()
    conductor = Conductor(
        handle,
        crew,
        services,
        config,
        tasks,
        ears,
        hang_up=lambda: tasks.start_soon(call.stop),
    )
    conductor.remember(said_before)
    hooks = HookRunner(call, config, tasks, handle.tell)
    time = Timekeeper(handle, services, config, tasks, alarms, hooks.goodbye)
    followers = (conductor.follow, time.follow, hooks.follow)
    opened = Opened(
        tasks=tasks,
        conductor=conductor,
        time=time,
        stop_telling=tuple(handle.subscribe(follow) for follow in followers),
    )
    await tasks.__aenter__()
    try:
        handle.ownership.before_end(conductor.drain)
        await handle.live()
    except BaseException:
        await opened.close()
        raise
    tasks.start_soon(ears.listen, conductor.take_words)
    time.begin()
    return opened


async def _said_before(handle: SessionHandle, services: Services) -> Sequence[Utterance]:
    if handle.session.live_at is None:  # nobody can have said anything
        return ()
    return await services.storage.transcripts.utterances(handle.session.id, handle.ownership.scope)
