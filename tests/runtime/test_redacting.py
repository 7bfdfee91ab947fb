"""What must not be kept is neither stored nor told: not final, not on the way, not to a listener."""

from collections.abc import AsyncGenerator

import pytest
from attrs import evolve

from voicesession.core.floor.effects import PartialHeard, TurnCommitted
from voicesession.core.utterance import Speaker, Utterance, UtteranceId
from voicesession.runtime.happenings import UtteranceStored
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage
from voicesession.testing.stage import Stage

SAID = Utterance(
    id=UtteranceId("utt_1"),
    speaker=Speaker.USER,
    start_us=0,
    end_us=900_000,
    text="my name is ada lovelace",
)


@pytest.fixture
async def voice() -> AsyncGenerator[SessionManager]:
    async with SessionManager(Services(storage=MemoryStorage(), worker_id="w1")) as manager:
        yield manager


def without_names(utterance: Utterance) -> Utterance:
    return evolve(utterance, text=utterance.text.replace("lovelace", "L."))


async def test_the_hosts_hook_comes_after_what_the_session_wants_blurred(
    voice: SessionManager,
) -> None:
    voice.transcripts.redact_with(without_names)
    session = await voice.create(secrets_blurred=["ada"], store_transcript=True)
    told: list[str] = []
    async with voice.attach(session.id) as handle:
        handle.subscribe(
            lambda one: (
                told.append(one.utterance.text) if isinstance(one, UtteranceStored) else None
            )
        )
        await handle.live()
        handle.partial("ada lovelace sp")
        assert handle.ownership.running.transcript_partial == "███ L. sp"
        stored = await handle.final(SAID)
        assert stored.text == "my name is ███ L."
        ended = await handle.end()
    assert told == [ended.transcript_final] == ["my name is ███ L."]
    assert (await voice.transcript(session.id)).text == "my name is ███ L."


async def test_what_a_hook_fails_on_is_blurred_whole_and_not_logged(
    voice: SessionManager, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(utterance: Utterance) -> Utterance:
        raise ValueError(utterance.text)

    voice.transcripts.redact_with(fail)
    session = await voice.create()
    async with voice.attach(session.id) as handle:
        await handle.live()
        assert (await handle.final(SAID)).text == "██ ████ ██ ███ ████████"
        assert handle.redacted("ada lovelace") == "███ ████████"
    assert "ValueError" in caplog.text
    assert "lovelace" not in caplog.text


async def test_listeners_of_a_conversation_are_told_no_secret_either() -> None:
    told: list[str] = []

    def listen(happening: object) -> None:
        if isinstance(happening, PartialHeard | TurnCommitted):
            told.append(happening.text)

    async with Stage() as stage:
        session = await stage.voice.create(secrets_blurred=["1234"])
        async with stage.call(session_id=session.id) as (call, phone):
            call.subscribe(listen)
            await phone.say("my code is 1234")
            await phone.wait(2_000_000)
    assert any("████" in text for text in told)
    assert not any("1234" in text for text in told)
