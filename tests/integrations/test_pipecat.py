"""Our session under Pipecat: what is said and played is kept, and our budget binds it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import pytest
from tests.integrations.eventually import eventually, said_by_now
from tests.integrations.sound import RATE_HZ, samples_spoken

from voicesession import Limit, SessionManager
from voicesession.core.accounts import Scope
from voicesession.core.meters import Meter
from voicesession.core.states import PauseReason
from voicesession.core.windows import Window

if TYPE_CHECKING:
    from tests.integrations.pipecat_stage import Call

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

SECOND = 50
"""Frames."""

Calls: TypeAlias = "Callable[..., AbstractAsyncContextManager[Call]]"


@pytest.fixture
def call(voice: SessionManager) -> Calls:
    """Holds a call that is answered with some words."""
    from tests.integrations.pipecat_stage import call

    return partial(call, voice)


async def test_a_call_is_kept_with_its_words_both_voices_and_its_usage(
    voice: SessionManager,
    call: Calls,
) -> None:
    async with call("Good", "morning", "Ada") as live:
        session_id = live.handle.session.id
        live.loudspeaker.meanwhile = live.hear
        await live.hear(SECOND)
        await said_by_now(voice, session_id, count=2)
        await live.hear(5)
    user, agent = (await voice.transcript(session_id)).utterances
    assert (user.speaker, user.text) == ("user", "hello there")
    assert (agent.text, agent.generated_text) == ("Good morning Ada", "Good morning Ada")
    assert (await voice.get(session_id)).status == "completed"
    account = voice.budgets.account(Scope.SESSION, session_id)
    meters = [Meter.LLM_INPUT_TOKENS, Meter.LLM_OUTPUT_TOKENS, Meter.TTS_CHARACTERS]
    used = [standing.spent for standing in await voice.budgets.standings(account, meters)]
    assert used == [7, 3, len("Good morning Ada")]
    assert await samples_spoken(voice, session_id) == 3 * RATE_HZ // 10


async def test_of_an_interrupted_reply_only_what_was_played_is_kept(
    voice: SessionManager, call: Calls
) -> None:
    async with call("Once", "upon", "a", "time", plays=2) as live:
        session_id = live.handle.session.id
        await live.hear(SECOND)
        await live.loudspeaker.stuck.wait()
        await live.interrupt()
        live.loudspeaker.let_go.set()
        await said_by_now(voice, session_id, count=2)
    agent = (await voice.transcript(session_id)).utterances[1]
    assert agent.interrupted
    assert agent.generated_text == "Once upon a time"
    assert agent.generated_text.startswith(agent.text)
    assert agent.text != agent.generated_text


async def test_an_exhausted_budget_lets_no_more_audio_reach_a_recogniser(
    voice: SessionManager,
    call: Calls,
) -> None:
    async with call() as live:
        account = voice.budgets.account(Scope.SESSION, live.handle.session.id)
        limit = Limit(account=account, meter=Meter.AUDIO_US, window=Window.SESSION, amount=500_000)
        await voice.budgets.set_limit(limit)
        await live.hear(60 * SECOND)
        spent = {PauseReason.BUDGET_EXHAUSTED}
        await eventually(lambda: live.handle.session.pause_reasons == spent)
        taken = live.ears.count
        await live.hear(SECOND)
        await eventually(lambda: live.ears.count == taken)
        assert live.handle.media_us == live.ears.count * 20_000


async def test_ending_our_session_ends_the_pipeline(call: Calls) -> None:
    async with call() as live:
        await live.handle.end()
        await eventually(live.worker.has_finished)
