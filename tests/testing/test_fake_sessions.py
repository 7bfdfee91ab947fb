"""Sessions that are ready for a host's tests are what they say, and real."""

from collections.abc import Iterable

import pytest

from voicesession.core.states import EndReason, SessionState
from voicesession.ports.agent import Prompt, ReplyPart
from voicesession.runtime.happenings import EngineSlow, Failed, ReplyStarted
from voicesession.testing.fake_sessions import FakeKind, fake_session
from voicesession.testing.stage import Stage

SECOND_US = 1_000_000


def waiter(prompt: Prompt) -> Iterable[ReplyPart]:
    yield f"{prompt.text} it is"


@pytest.mark.parametrize("kind", FakeKind)
async def test_it_is_live_inside_the_block_and_completed_after_it(kind: FakeKind) -> None:
    async with fake_session(kind) as fake:
        assert fake.call.session.state is SessionState.LIVE
        await fake.phone.say("good morning")
    assert fake.call.session.end_reason is EndReason.COMPLETED
    assert fake.call.session.utterance_count == 1


async def test_an_active_one_answers_with_what_the_test_wants() -> None:
    async with fake_session(answer=waiter) as fake:
        await fake.phone.say("two coffees")
        await fake.phone.wait(2 * SECOND_US)
        assert fake.phone.heard_words == ["two", "coffees", "it", "is"]


async def test_it_can_be_broken_in_the_middle() -> None:
    async with fake_session() as fake:
        fake.faults.fail("reply")
        await fake.phone.say("good morning")
        await fake.phone.wait(2 * SECOND_US)
        assert fake.phone.heard_words == []
        assert len(fake.stage.happenings(Failed)) == 1


async def test_a_failing_one_says_so_at_each_turn_and_works_once_it_is_healed() -> None:
    async with fake_session("failing") as fake:
        for turns in (1, 2):
            await fake.phone.say("good morning")
            await fake.phone.wait(2 * SECOND_US)
            assert len(fake.stage.happenings(Failed)) == turns
        assert fake.phone.heard_words == []
        fake.faults.heal()
        await fake.phone.say("good evening")
        await fake.phone.wait(2 * SECOND_US)
        assert fake.phone.heard_words[-2:] == ["good", "evening"]


async def test_a_slow_one_keeps_the_caller_waiting_and_says_so() -> None:
    async with fake_session("slow") as fake:
        await fake.phone.say("good morning")
        await fake.phone.wait(4 * SECOND_US)
        assert fake.phone.heard_words == []
        await fake.phone.wait(4 * SECOND_US)
        assert fake.phone.heard_words == ["you", "said", "good", "morning"]
    (started,) = fake.stage.happenings(ReplyStarted)
    assert started.latency_us is not None
    assert started.latency_us >= 5 * SECOND_US
    assert [slow.engine for slow in fake.stage.happenings(EngineSlow)] == ["fake"]


async def test_many_share_a_stage() -> None:
    async with (
        Stage() as stage,
        fake_session(stage=stage) as first,
        fake_session(stage=stage) as second,
    ):
        assert first.call.session.id != second.call.session.id
        assert first.stage is second.stage


async def test_there_are_no_other_kinds() -> None:
    with pytest.raises(ValueError, match="confused"):
        async with fake_session("confused"):
            pytest.fail("it began")
