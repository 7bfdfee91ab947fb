"""What a conversation consists of while it is open, and in which order that comes to be."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Protocol

import anyio
from anyio.abc import TaskGroup
from attrs import frozen

from ..core.utterance import Utterance
from .alarms import Alarms
from .conductor import Conductor
from .crew import Crew
from .handle import SessionHandle
from .happenings import EnginesJoined, Listeners
from .hooks import HookRunner
from .pipeline import Pipeline, SessionConfig
from .services import Services
from .telemetry.reporting import Operation
from .telemetry.watching import providers_of
from .timekeeper import Timekeeper

if TYPE_CHECKING:
    from .live import VoiceSession

__all__ = ("Opened", "joining", "open_conversation")


class Follower(Protocol):
    """A part of a conversation that is told what happens, of the kinds that it follows."""

    follows: ClassVar[frozenset[type]]

    def follow(self, happening: object, /) -> None: ...


@frozen(kw_only=True)
class Opened:
    """A conversation whose engines are open; whoever opened it closes it.

    Attributes:
        tasks: Where it runs.
        followers: Those of its parts that are told what happens, among the *listeners*.
    """

    tasks: TaskGroup
    conductor: Conductor
    time: Timekeeper
    listeners: Listeners
    followers: tuple[Follower, ...]

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
        for part in self.followers:
            self.listeners.remove(part.follow)
        try:
            return await self.tasks.__aexit__(exc_type, exc, traceback)
        finally:
            await self.conductor.ears.aclose()


def joining(handle: SessionHandle, pipeline: Pipeline, services: Services) -> Operation:
    """Let everybody know who is to lead the conversation; return the operation of opening it."""
    chains = pipeline.chains
    joined = EnginesJoined({stage: chain.name for stage, chain in chains.items()})
    handle.tell(joined)
    handle.ownership.spending.tariff.engage(chains)
    return services.telemetry.operation(
        "converse",
        services.clock,
        session_id=handle.session.id,
        also=providers_of(joined.engines),
    )


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
    opened = Opened(
        tasks=tasks,
        conductor=conductor,
        time=time,
        listeners=handle.ownership.listeners,
        followers=(conductor, time, hooks),
    )
    for part in opened.followers:
        opened.listeners.add(part.follow, kinds=part.follows)
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
