"""The journal as it is written: each event once, whatever the line does."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tests.client.stage import House, open_house
from tests.patience import PATIENCE_S
from tests.servers.proxy import Fault, Harm, Way, running_proxy

from voicesession import InvalidValue, SessionNotFound
from voicesession.client import VoiceClient
from voicesession.testing.effort import examples


async def test_events_come_as_they_happen_until_the_last_one(
    house: House, ada: VoiceClient
) -> None:
    session = await ada.create()
    seen: list[Any] = []
    with anyio.fail_after(PATIENCE_S):
        async with aclosing(ada.follow(session.id)) as events:
            async for event in events:
                seen.append(event)
                if event.type == "connect_requested":
                    await ada.end(session.id)
    journal = await ada.events(session.id)
    assert seen == journal.events
    assert [event async for event in ada.follow(session.id, after=journal.last_seq)] == []


@settings(
    max_examples=examples(6),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(cuts=st.lists(st.integers(0, 1_200), max_size=3), after=st.integers(0, 4))
async def test_wherever_the_line_is_cut_each_event_comes_once(
    house: House, cuts: list[int], after: int
) -> None:
    session_id = await house.finished_session()
    async with running_proxy(house.port) as proxy, house.client(url=proxy.url) as client:
        proxy.harm(*(Fault(harm=Harm.CUT, way=Way.TO_CLIENT, at_byte=at) for at in cuts))
        with anyio.fail_after(PATIENCE_S):
            seen = [event.seq async for event in client.follow(session_id, after=after)]
        proxy.harm()
        last_seq = (await client.events(session_id)).last_seq
    assert seen == list(range(after + 1, last_seq + 1))


async def test_whoever_leaves_early_leaves_nothing_open(house: House, ada: VoiceClient) -> None:
    session = await ada.create()
    async with aclosing(ada.follow(session.id)) as events:
        async for event in events:
            assert event.seq == 1
            break
    await ada.end(session.id)


async def test_a_session_that_is_not_there_has_no_events(ada: VoiceClient) -> None:
    with pytest.raises(SessionNotFound):
        await anext(ada.follow("sess_nobody"))
    with pytest.raises(InvalidValue):
        await anext(ada.follow("sess_nobody", after=-1))


async def test_a_stream_that_the_server_ends_from_time_to_time_goes_on(tmp_path: Any) -> None:
    from datetime import timedelta

    from voicesession.web.options import WebOptions

    brief = WebOptions(
        rate=None, streams_for=timedelta(milliseconds=5), look_again=timedelta(milliseconds=2)
    )
    async with open_house(tmp_path, options=brief) as house, house.client() as ada:
        session = await ada.create()
        seen: list[int] = []

        async def listen() -> None:
            seen.extend([event.seq async for event in ada.follow(session.id)])

        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                for _ in range(3):
                    await anyio.sleep(0.02)  # several streams pass by meanwhile
                await ada.end(session.id)
        assert seen == [event.seq for event in (await ada.events(session.id)).events]
