"""What a conversation consists of while it is open, and in which order that comes to be."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup
from attrs import frozen

from .conductor import Conductor
from .crew import Crew
from .handle import SessionHandle
from .hooks import HookRunner
from .patience import Alarms
from .pipeline import Pipeline, SessionConfig
from .services import Services
from .timekeeper import Timekeeper

if TYPE_CHECKING:
    from .live import VoiceSession

__all__ = ("Opened", "open_conversation")


@frozen(kw_only=True)
class Opened:
    """A conversation that is LIVE.

    Attributes:
        stack: Gives everything back when it is closed; cancel the tasks before.
    """

    stack: AsyncExitStack
    tasks: TaskGroup
    conductor: Conductor


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
    said_before = await services.storage.transcripts.utterances(
        handle.session.id, handle.ownership.scope
    )
    crew = Crew.of(pipeline, config, services, alarms, handle.tell)
    async with AsyncExitStack() as stack:
        ears = await crew.listen(pipeline, handle, config)
        stack.push_async_callback(ears.aclose)
        tasks = await stack.enter_async_context(anyio.create_task_group())
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
        time = Timekeeper(handle, services, config, hooks.say_goodbye)
        for listener in (conductor.follow, time.follow, hooks.follow):
            stack.callback(handle.subscribe(listener))
        handle.ownership.before_end(conductor.drain)
        try:
            await handle.live()
        except BaseException:
            tasks.cancel_scope.cancel()
            raise
        tasks.start_soon(ears.listen, conductor.take_words)
        tasks.start_soon(time.run)
        return Opened(stack=stack.pop_all(), tasks=tasks, conductor=conductor)
