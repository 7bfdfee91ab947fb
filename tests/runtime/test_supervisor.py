"""Looking after many sessions holds none of them up."""

from itertools import groupby
from typing import Literal

import anyio
from anyio.lowlevel import checkpoint

from voicesession.core.identity import SessionId
from voicesession.ports.storage import RunningStats
from voicesession.runtime.clock import SystemClock
from voicesession.runtime.services import Services
from voicesession.runtime.supervisor import Supervisor
from voicesession.stores.memory import MemoryStorage

SESSIONS = 50
Turn = Literal["a session", "audio"]


class Session:
    """Says when it is looked after; the store knows nothing of it, and it has nothing to do."""

    epoch = 1
    seq = 1

    def __init__(self, turns: list[Turn]) -> None:
        self._turns = turns

    def running_stats(self) -> RunningStats:
        return RunningStats(
            epoch=self.epoch,
            audio_duration_us=0,
            audio_chunks_received=0,
            audio_chunks_processed=0,
            audio_used_us=0,
        )

    def lost(self) -> None:
        raise AssertionError

    async def lease_gone(self) -> None:
        self._turns.append("a session")

    async def catch_up(self) -> None:
        raise AssertionError

    async def pass_time(self) -> None:
        raise AssertionError


async def test_audio_has_its_turn_between_the_sessions_that_are_looked_after() -> None:
    services = Services(storage=MemoryStorage(), worker_id="w")
    supervisor = Supervisor(
        services.storage.sessions,
        SystemClock(),
        lease=services.lease,
        on_away=lambda: None,
        on_error=lambda _session_id, _error: None,
        after_tick=lambda: None,
    )
    turns: list[Turn] = []
    for number in range(SESSIONS):
        supervisor.add(SessionId(f"s{number}"), Session(turns))

    async def process_audio() -> None:
        while True:
            turns.append("audio")
            await checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(process_audio)
        await supervisor.tick()
        tasks.cancel_scope.cancel()

    assert turns.count("a session") == SESSIONS
    # Two, where the loop does not run them in the order in which they became ready.
    assert max(len(list(run)) for turn, run in groupby(turns) if turn == "a session") <= 2
