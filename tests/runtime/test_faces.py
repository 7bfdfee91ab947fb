"""What the manager lends: its tenant's transcripts and templates."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest

from voicesession.core.errors import InvalidValue, SessionNotFound, TemplateNotFound
from voicesession.core.utterance import Speaker, Utterance, UtteranceId
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
async def voice(clock: SteppedClock) -> AsyncGenerator[SessionManager]:
    services = Services(storage=MemoryStorage(), clock=clock, worker_id="w1")
    async with SessionManager(services) as manager:
        yield manager


async def said(voice: SessionManager, session_id: str, text: str, previous: str | None) -> None:
    await voice.create(
        session_id=session_id, resume_session_id=previous, store_transcript=True, language="en"
    )
    async with voice.attach(session_id) as handle:
        await handle.live()
        handle.ownership.tape.user(bytes(64_000))
        utterance = Utterance(
            id=UtteranceId("utt_1"), speaker=Speaker.USER, text=text, start_us=0, end_us=500_000
        )
        await handle.final(utterance)
        await handle.end()


async def test_a_transcript_is_shown_as_people_and_players_read_it(voice: SessionManager) -> None:
    await said(voice, "one", "Hello there", None)
    document = await voice.transcripts.document("one")
    assert (document["session_id"], document["text"]) == ("one", "Hello there")
    assert document["duration"] == 2.0
    assert "Hello there" in await voice.transcripts.text("one", "txt")
    assert "00:00:00,000 --> 00:00:00,500" in await voice.transcripts.text("one", "srt")
    assert (await voice.transcripts.text("one", "vtt")).startswith("WEBVTT")
    with pytest.raises(InvalidValue, match="txt, srt, vtt"):
        await voice.transcripts.text("one", "pdf")


async def test_the_words_of_linked_sessions_are_read_as_one(voice: SessionManager) -> None:
    await said(voice, "one", "first", None)
    await said(voice, "two", "second", "one")
    await said(voice, "three", "third", "two")
    document = await voice.transcripts.document("three", linked=True)
    assert document["text"] == "first second third"
    assert [utterance["start"] for utterance in document["utterances"]] == [0.0, 2.0, 4.0]
    merged = await voice.transcripts.linked("two")
    assert [placement.session_id for placement in merged.placements] == ["one", "two"]
    await voice.delete("one")
    assert (await voice.transcripts.document("three", linked=True))["text"] == "second third"


async def test_nobody_reads_another_tenants_words(voice: SessionManager) -> None:
    await said(voice, "one", "secret", None)
    strangers = voice.for_tenant("strangers").transcripts
    for read in (strangers.document, strangers.linked, strangers.so_far):
        with pytest.raises(SessionNotFound):
            await read("one")


async def test_templates_are_made_read_and_removed(
    voice: SessionManager, clock: SteppedClock
) -> None:
    visit = await voice.templates.create(
        "Visit",
        language="de",
        enabled_panels=("notes",),
        audio_budget=timedelta(minutes=5),
        agent_metadata={"persona": "kind"},
    )
    assert visit.id.startswith("tmpl_")
    assert visit.audio_budget_us == 300_000_000
    clock.advance(1_000_000)
    renamed = await voice.templates.create("Call", template_id=visit.id)
    assert (renamed.name, renamed.created_at, renamed.updated_at) == ("Call", START, clock.now())
    session = await voice.create(session_template_id=visit.id, model="accurate")
    assert list(await voice.templates.find()) == [renamed]
    assert list(await voice.templates.find(after=visit.id)) == []
    await voice.templates.delete(visit.id)
    assert (await voice.get(session.id)).session_template_id is None
    with pytest.raises(TemplateNotFound):
        await voice.templates.get(visit.id)


async def test_a_session_takes_from_its_template_what_it_does_not_say_itself(
    voice: SessionManager,
) -> None:
    visit = await voice.templates.create(
        "Visit", language="de", model="fast", enabled_panels=["notes"], modality_profile="audio"
    )
    session = await voice.create(session_template_id=visit.id, model="accurate")
    assert (session.language, session.model) == ("de", "accurate")
    assert (session.modality_profile, session.enabled_panels) == ("audio", ("notes",))
    await voice.templates.delete(visit.id)
    kept = await voice.get(session.id)
    assert (kept.session_template_id, kept.enabled_panels) == (None, ("notes",))


async def test_a_template_is_its_tenants_alone(voice: SessionManager) -> None:
    visit = await voice.templates.create("Visit")
    strangers = voice.for_tenant("strangers")
    for call in (strangers.templates.get, strangers.templates.delete):
        with pytest.raises(TemplateNotFound):
            await call(visit.id)
    with pytest.raises(TemplateNotFound):
        await strangers.create(session_template_id=visit.id)
