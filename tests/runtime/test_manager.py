"""The front door: what can be done to a session from outside, and what is refused."""

import wave
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

import voicesession
from voicesession.core.admission import AdmissionPolicy
from voicesession.core.deadlines import LifePolicy
from voicesession.core.errors import (
    InvalidState,
    InvalidValue,
    LeaseLost,
    ProviderError,
    ProviderUnavailable,
    QuotaExceeded,
    SessionAlreadyActive,
    SessionExists,
    SessionExpired,
    SessionNotActive,
    SessionNotFound,
    StoreUnavailable,
    VoiceSessionError,
)
from voicesession.core.journal import replay
from voicesession.core.states import EndReason, PauseReason, SessionState, SessionStatus
from voicesession.core.timeline import Track
from voicesession.core.utterance import Speaker, Utterance, UtteranceId
from voicesession.ports.storage import Storage
from voicesession.recording.file import FileObjectStore
from voicesession.recording.recorder import SpoolRecorder
from voicesession.runtime.clock import SteppedClock
from voicesession.runtime.happenings import SessionChanged, UtteranceStored
from voicesession.runtime.manager import SessionManager
from voicesession.runtime.services import Services
from voicesession.stores.memory import MemoryStorage

START = datetime(2026, 1, 1, tzinfo=UTC)
ONE_SECOND = bytes(32_000)


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
def storage() -> Storage:
    return MemoryStorage()


def a_manager(storage: Storage, clock: SteppedClock, worker: str = "w1") -> SessionManager:
    return SessionManager(
        Services(
            storage=storage,
            clock=clock,
            worker_id=worker,
            life=LifePolicy(),
            admission=AdmissionPolicy(per_user=2),
        )
    )


@pytest.fixture
async def voice(storage: Storage, clock: SteppedClock) -> AsyncGenerator[SessionManager]:
    async with a_manager(storage, clock) as manager:
        yield manager


def holds(folder: Path, audio: bytes) -> bool:
    return any(audio in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def an_utterance(number: int, text: str = "hello there") -> Utterance:
    return Utterance(
        id=UtteranceId(f"utt_{number}"),
        speaker=Speaker.USER,
        start_us=number * 1_000_000,
        end_us=number * 1_000_000 + 500_000,
        text=text,
    )


async def test_a_new_session_is_connecting_and_its_connect_window_runs(
    voice: SessionManager,
) -> None:
    session = await voice.create(user_id="ada", language="en", metadata={"a": 1})
    assert session.state is SessionState.CONNECTING
    assert session.status is SessionStatus.ACTIVE
    assert session.deadline_at == START + timedelta(seconds=30)
    assert session.metadata == {"a": 1}
    assert await voice.get(session.id) == session
    assert [entry.type for entry in await voice.journal(session.id)] == ["connect_requested"]


async def test_a_session_that_nobody_connects_to_is_over_when_its_window_is(
    voice: SessionManager, clock: SteppedClock
) -> None:
    session = await voice.create(user_id="ada")
    clock.advance(30_000_000)
    ended = await voice.get(session.id)
    assert (ended.status, ended.end_reason) == (SessionStatus.ERROR, EndReason.CONNECT_TIMEOUT)


async def test_a_session_that_its_worker_left_is_over_when_the_grace_is(
    voice: SessionManager, clock: SteppedClock
) -> None:
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as call:
        await call.live()
        await call.pause()
    clock.advance(30_000_000)
    ended = await voice.get(session.id)
    assert (ended.status, ended.end_reason) == (
        SessionStatus.INTERRUPTED,
        EndReason.WORKER_LOST,
    )
    with pytest.raises(SessionNotActive):
        async with voice.attach(session.id):
            pass


async def test_one_more_session_than_the_quota_is_refused_and_not_stored(
    voice: SessionManager,
) -> None:
    first = await voice.create(user_id="ada")
    await voice.create(user_id="ada")
    with pytest.raises(QuotaExceeded, match="Maximum 2 concurrent sessions allowed"):
        await voice.create(user_id="ada")
    await voice.create(user_id="bob")
    await voice.end(first.id)
    await voice.create(user_id="ada")
    assert len((await voice.find(user_id="ada")).sessions) == 3


async def test_a_bad_parameter_is_named_and_nothing_is_stored(voice: SessionManager) -> None:
    with pytest.raises(InvalidValue, match="metadata"):
        await voice.create(user_id="ada", metadata={"x": "y" * 20_000})
    with pytest.raises(InvalidValue, match="user_id"):
        await voice.create(user_id="")
    with pytest.raises(InvalidValue, match="id"):
        await voice.create(session_id="../escape")
    with pytest.raises(InvalidValue, match="sample_rate"):
        await voice.create(sample_rate=1)
    with pytest.raises(InvalidValue, match="status"):
        await voice.find(status="nonsense")
    assert (await voice.find()).sessions == ()


async def test_an_id_is_given_once(voice: SessionManager) -> None:
    await voice.create(session_id="call-1")
    with pytest.raises(SessionExists):
        await voice.create(session_id="call-1")


async def test_another_tenant_sees_nothing_of_a_session(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada")
    acme = voice.for_tenant("acme")
    for call in (acme.get, acme.pause, acme.end, acme.delete, acme.transcript, acme.journal):
        with pytest.raises(SessionNotFound):
            await call(session.id)
    with pytest.raises(SessionNotFound):
        async with acme.attach(session.id):
            pass
    async with voice.attach(session.id):
        with pytest.raises(SessionNotFound):
            await acme.end(session.id)
    assert (await acme.find()).sessions == ()


async def test_a_session_can_only_be_continued_by_its_own_user(voice: SessionManager) -> None:
    earlier = await voice.create(user_id="ada")
    with pytest.raises(SessionNotFound):
        await voice.create(user_id="bob", resume_session_id=earlier.id)
    later = await voice.create(user_id="ada", resume_session_id=earlier.id)
    assert later.previous_session_id == earlier.id


async def test_words_are_told_of_only_once_they_are_stored(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada", store_transcript=True)
    async with voice.attach(session.id) as call:
        await call.live()
        stored: list[int] = []

        def note(happening: object) -> None:
            if isinstance(happening, UtteranceStored):
                stored.append(call.session.seq)

        call.subscribe(note)
        await call.final(an_utterance(1))
        assert stored == [call.session.seq]
        assert (await voice.transcript(session.id)).text == "hello there"
        await call.end()
    ended = await voice.get(session.id)
    assert (ended.utterance_count, ended.word_count) == (1, 2)
    assert ended.transcript_final == "hello there"


async def test_words_that_are_not_to_be_kept_are_gone_with_the_session(
    voice: SessionManager,
) -> None:
    session = await voice.create(user_id="ada", store_transcript=False)
    async with voice.attach(session.id) as call:
        await call.live()
        await call.final(an_utterance(1))
        assert (await voice.transcript(session.id)).text == "hello there"
        await call.end()
    assert (await voice.transcript(session.id)).text == ""
    ended = await voice.get(session.id)
    assert (ended.transcript_final, ended.transcript_uri) == (None, None)
    assert ended.word_count == 2


async def test_paused_time_is_no_time(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as call:
        await call.live()
        assert call.audio(Track.USER, ONE_SECOND)
        await call.pause()
        assert not call.audio(Track.USER, ONE_SECOND)
        await call.resume()
        assert call.audio(Track.USER, ONE_SECOND)
        assert call.media_us == 2_000_000
        await call.end()
    ended = await voice.get(session.id)
    assert ended.audio_duration_us == 2_000_000
    assert (ended.audio_chunks_received, ended.audio_chunks_processed) == (3, 2)


async def test_a_session_left_by_its_worker_can_be_resumed_by_another(
    voice: SessionManager, storage: Storage, clock: SteppedClock
) -> None:
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as call:
        await call.live()
        call.audio(Track.USER, ONE_SECOND)
    left = await voice.get(session.id)
    assert left.pause_reasons == {PauseReason.SHUTDOWN}
    assert left.worker_id is None
    other = a_manager(storage, clock, "w2")
    async with other.attach(session.id) as call:
        await call.live()
        assert call.session.state is SessionState.LIVE
        assert call.media_us == 1_000_000
        await call.end()


async def test_who_takes_over_only_to_end_a_session_finishes_its_recording(
    tmp_path: Path,
) -> None:
    async with voicesession.open(recordings=tmp_path) as voice:
        session = await voice.create(store_audio=True)
        async with voice.attach(session.id) as first:
            await first.live()
            first.audio(Track.USER, bytes(32_000))
        async with voice.attach(session.id) as second:
            ended = await second.end()
    assert ended.audio_uri is not None
    with wave.open(ended.audio_uri.removeprefix("file://")) as file:
        assert file.getnframes() == 16_000


async def test_a_worker_whose_session_was_taken_over_is_refused(
    voice: SessionManager, storage: Storage, clock: SteppedClock
) -> None:
    session = await voice.create(user_id="ada")
    other = a_manager(storage, clock, "w2")
    async with voice.attach(session.id) as mine:
        await mine.live()
        async with other.attach(session.id) as theirs:
            with pytest.raises(LeaseLost):
                await mine.final(an_utterance(1))
            assert mine.is_over
            await theirs.final(an_utterance(2))
            await theirs.end()
    assert [u.id for u in (await voice.transcript(session.id)).utterances] == []
    assert (await voice.get(session.id)).utterance_count == 1


async def test_the_same_worker_owns_a_session_once(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id):
        with pytest.raises(SessionAlreadyActive):
            async with voice.attach(session.id):
                pass


async def test_an_exception_in_the_block_ends_the_session_as_an_error(
    voice: SessionManager,
) -> None:
    session = await voice.create(user_id="ada")

    async def host() -> None:
        async with voice.attach(session.id) as call:
            await call.live()
            raise RuntimeError("the host's own bug")

    with pytest.raises(RuntimeError):
        await host()
    ended = await voice.get(session.id)
    assert (ended.status, ended.end_reason) == (SessionStatus.ERROR, EndReason.ERROR)
    assert ended.error == "RuntimeError: the host's own bug"


@pytest.mark.parametrize(
    ("error", "is_live", "state"),
    [
        (StoreUnavailable("away"), True, SessionState.PAUSED),
        (StoreUnavailable("away"), False, SessionState.PAUSED),
        (ProviderUnavailable("engine", "away"), False, SessionState.PAUSED),
        (ProviderUnavailable("engine", "away"), True, SessionState.ENDED),
        (ProviderError("engine", "broken"), False, SessionState.ENDED),
    ],
)
async def test_what_may_pass_ends_no_session_that_waits_and_an_outage_ends_none_at_all(
    voice: SessionManager, error: VoiceSessionError, is_live: bool, state: SessionState
) -> None:
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as call:
        await call.live()
        await call.disconnected()

    async def host() -> None:
        async with voice.attach(session.id) as call:
            if is_live:
                await call.live()
            raise error

    with pytest.raises(type(error)):
        await host()
    left = await voice.get(session.id)
    assert (left.state, left.worker_id) == (state, None)


async def test_an_owner_learns_of_a_command_from_another_worker(
    voice: SessionManager, storage: Storage, clock: SteppedClock
) -> None:
    session = await voice.create(user_id="ada")
    other = a_manager(storage, clock, "w2")
    async with voice.attach(session.id) as call:
        await call.live()
        seen: list[SessionState] = []
        call.subscribe(
            lambda h: seen.append(h.after.state) if isinstance(h, SessionChanged) else None
        )
        await other.pause(session.id)
        assert seen == []
        await voice._worker._supervisor.tick()
        assert seen == [SessionState.PAUSED]
        await other.end(session.id)
        await voice._worker._supervisor.tick()
        assert call.is_over
        assert seen[:2] == [SessionState.PAUSED, SessionState.ENDED]
    assert (await voice.get(session.id)).status is SessionStatus.COMPLETED


async def test_what_time_brings_about_reaches_a_session_that_somebody_owns(
    voice: SessionManager, clock: SteppedClock
) -> None:
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as call:
        await call.live()
        clock.advance(30 * 60 * 1_000_000)
        await voice._worker._supervisor.tick()
        assert call.is_over
    ended = await voice.get(session.id)
    assert ended.end_reason is EndReason.EXPIRED
    with pytest.raises(SessionExpired):
        async with voice.attach(session.id):
            pass


async def test_the_journal_replays_to_the_states_that_were_seen(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada")
    seen = [session.state]
    async with voice.attach(session.id) as call:
        call.subscribe(
            lambda h: seen.append(h.after.state) if isinstance(h, SessionChanged) else None
        )
        await call.live()
        await call.final(an_utterance(1))
        await call.pause()
        await call.resume()
        await call.set_consent(True, by="ada", wording="v1")
        await call.end()
    journal = await voice.journal(session.id)
    assert [s.state for s in replay(journal)] == seen
    assert (await voice.journal(session.id, after=2, limit=1))[0].seq == 3


async def test_an_active_session_is_deleted_only_if_that_is_meant(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada")
    with pytest.raises(InvalidState):
        await voice.delete(session.id)
    await voice.delete(session.id, end=True, by="ada")
    with pytest.raises(SessionNotFound):
        await voice.get(session.id)


async def test_details_change_in_every_state_and_are_journalled_by_name_only(
    voice: SessionManager,
) -> None:
    session = await voice.create(user_id="ada")
    await voice.update(session.id, metadata={"note": "secret"}, transcript_partial="hel")
    await voice.end(session.id)
    changed = await voice.update(session.id, metadata={})
    assert changed.metadata == {}
    assert changed.transcript_partial == "hel"
    assert "secret" not in str(await voice.journal(session.id))


async def test_a_session_that_is_being_handed_over_is_ended_all_the_same(
    voice: SessionManager,
) -> None:
    session = await voice.create()
    async with voice.attach(session.id) as call:
        await call.live()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call.ownership.hand_over)
            ended = await voice.end(session.id)
    assert ended.state is SessionState.ENDED
    assert (await voice.get(session.id)).status is SessionStatus.COMPLETED


async def test_ending_twice_changes_nothing(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada")
    ended = await voice.end(session.id, reason="cancelled")
    assert await voice.end(session.id) == ended
    with pytest.raises(SessionNotActive):
        async with voice.attach(session.id):
            pass


async def test_secrets_are_blurred_before_words_are_stored_or_told_of(
    voice: SessionManager,
) -> None:
    session = await voice.create(
        user_id="ada", store_transcript=True, secrets_blurred=["card_number"]
    )
    told: list[str] = []
    async with voice.attach(session.id) as call:
        await call.live()
        call.subscribe(
            lambda h: told.append(h.utterance.text) if isinstance(h, UtteranceStored) else None
        )
        call.partial("my card is 4111 1111 1111 1111")
        assert "4111" not in str(call.ownership.running_stats().transcript_partial)
        await call.final(an_utterance(1, "my card is 4111 1111 1111 1111 you know"))
        await call.end()
    kept = (await voice.transcript(session.id)).text
    assert "4111" not in kept
    assert "you know" in kept
    assert told == [kept]


async def test_text_that_no_store_can_keep_is_refused_at_the_door(voice: SessionManager) -> None:
    session = await voice.create(user_id="ada")
    async with voice.attach(session.id) as call:
        await call.live()
        with pytest.raises(InvalidValue, match="NUL"):
            await call.final(an_utterance(1, "a\0b"))
        await call.final(an_utterance(1, "fine"))
        await call.end()


async def test_without_consent_no_byte_is_recorded_and_withdrawn_consent_purges_it(
    storage: Storage, clock: SteppedClock, tmp_path: Path
) -> None:
    objects = FileObjectStore(tmp_path)
    recorder = SpoolRecorder(tmp_path / ".spool", objects)
    services = Services(
        storage=storage, clock=clock, worker_id="w1", recorder=recorder, objects=objects
    )
    voice_of_the_caller = b"\x11\x22" * 16_000
    async with SessionManager(services) as voice:
        refused = await voice.create(store_audio=True, recording_consent=False)
        async with voice.attach(refused.id) as call:
            await call.live()
            call.audio(Track.USER, voice_of_the_caller)
            await call.end()
        assert (await voice.get(refused.id)).audio_uri is None

        withdrawn = await voice.create(store_audio=True, recording_consent=True)
        async with voice.attach(withdrawn.id) as call:
            await call.live()
            call.audio(Track.USER, voice_of_the_caller)
            after = await call.set_consent(False, by="ada", wording="v2")
            call.audio(Track.USER, voice_of_the_caller)
            await call.end()
        assert (after.consent_by, after.consent_wording) == ("ada", "v2")
        assert (await voice.get(withdrawn.id)).audio_uri is None

        given_late = await voice.create(store_audio=True, recording_consent=False)
        async with voice.attach(given_late.id) as call:
            await call.live()
            call.audio(Track.USER, voice_of_the_caller)
            await call.set_consent(True)
            call.audio(Track.USER, voice_of_the_caller)
            await call.end()
        kept = await voice.get(given_late.id)
        assert kept.audio_uri is not None
        content = await objects.get(f"sessions/{kept.id}/audio.wav")
        # Its first second is silence: nobody had said yes.
        assert content[44:32_044] == bytes(32_000)
        assert content[32_044:] == voice_of_the_caller
        await voice.delete(given_late.id)
    assert not holds(tmp_path, b"\x11\x22\x11\x22")


async def test_what_is_masked_is_neither_in_the_recording_nor_in_the_words(
    tmp_path: Path, clock: SteppedClock
) -> None:
    objects = FileObjectStore(tmp_path)
    services = Services(
        storage=MemoryStorage(),
        clock=clock,
        worker_id="w1",
        recorder=SpoolRecorder(tmp_path / ".spool", objects),
        objects=objects,
    )
    async with SessionManager(services) as voice:
        session = await voice.create(store_audio=True, store_transcript=True)
        async with voice.attach(session.id) as handle:
            await handle.live()
            loud = b"\x11\x22" * 16_000
            handle.audio(Track.USER, loud)
            await handle.final(an_utterance(0, "my card"))
            await handle.mask(0, 2_000_000)
            handle.audio(Track.USER, loud)
            handle.audio(Track.USER, loud)
            await handle.final(an_utterance(1, "is 1234"))
            await handle.final(an_utterance(2, "thank you"))
            ended = await handle.end()
        texts = [said.text for said in (await voice.transcript(session.id)).utterances]
    assert texts == ["██ ████", "██ ████", "thank you"]
    assert ended.transcript_final == "██ ████ ██ ████ thank you"
    audio = await objects.get(f"sessions/{session.id}/audio.wav", start=44)
    assert audio == bytes(64_000) + loud
    assert not holds(tmp_path, b"1234")
