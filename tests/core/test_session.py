from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve, fields
from attrs.exceptions import FrozenInstanceError
from hypothesis import given, settings, strategies as st

from voicesession.core.audio import AudioFormat, Encoding
from voicesession.core.errors import InvalidValue
from voicesession.core.events import SessionEvent
from voicesession.core.identity import SessionId
from voicesession.core.life import apply, is_legal
from voicesession.core.session import (
    DailyRemaining,
    Pause,
    Session,
)
from voicesession.core.states import (
    STATUS_OF_END,
    EndReason,
    PauseReason,
    SessionState,
    SessionStatus,
)
from voicesession.testing.effort import examples
from voicesession.testing.strategies_life import EVENT_KINDS, events_of, instants, sessions

AT = datetime(2026, 11, 21, tzinfo=UTC)
NAIVE = AT.replace(tzinfo=None)
NEW = Session(
    id=SessionId("sess_1"), created_at=AT, updated_at=AT, state_since=AT, last_activity_at=AT
)
INSTANTS = """
    created_at started_at live_at updated_at ended_at state_since last_activity_at deadline_at
    consent_at token_expiry lease_expires_at
"""
COUNTS = """
    active_us seq audio_duration_us utterance_count word_count message_count
    audio_chunks_received audio_chunks_processed audio_used_us epoch
"""
TEXTS = """
    created_by error mode language model device_type client_version key_hash consent_by
    consent_wording transcript_partial transcript_final audio_uri transcript_uri
    enhancement_job_id session_template_id room_name modality_profile worker_id client_ip
    metadata_json
"""
IDS = ["id", "tenant_id", "previous_session_id"]


def changed(session: Session, **changes: Any) -> Session:
    return evolve(session, **changes)


def refused(**changes: Any) -> InvalidValue:
    with pytest.raises(InvalidValue) as refusal:
        evolve(NEW, **changes)
    return refusal.value


# --- What a new session is --------------------------------------------------------------


def test_a_new_session_has_the_documented_defaults() -> None:
    assert (NEW.tenant_id, NEW.state, NEW.status) == ("default", "IDLE", "active")
    assert (NEW.mode, NEW.language, NEW.model) == ("LS1A", "auto", "fast")
    assert NEW.audio_format == AudioFormat(Encoding.PCM_S16LE, 16_000, 1)
    assert (NEW.store_audio, NEW.store_transcript, NEW.enhance_on_end) == (False, False, False)
    assert (NEW.retention_days, NEW.recording_consent, NEW.metadata) == (30, None, {})
    assert (NEW.seq, NEW.epoch, NEW.pauses, NEW.end_reason) == (0, 0, (), None)


@settings(max_examples=examples(40))
@given(sessions())
def test_a_session_does_not_change(session: Session) -> None:
    for attribute in fields(Session):
        with pytest.raises(FrozenInstanceError):
            setattr(session, attribute.name, None)
    assert evolve(session) == session
    assert hash(evolve(session)) == hash(session)


def test_what_must_not_reach_a_log_is_not_in_the_repr() -> None:
    told = repr(
        changed(
            NEW,
            key_hash="SECRET",
            transcript_partial="SECRET",
            transcript_final="SECRET",
            client_ip="SECRET",
            metadata_json='{"a":"SECRET"}',
        )
    )
    assert "SECRET" not in told
    assert "sess_1" in told


# --- What a field may hold --------------------------------------------------------------


@pytest.mark.parametrize("name", INSTANTS.split())
def test_instants_need_a_zone_and_are_kept_in_utc(name: str) -> None:
    assert refused(**{name: NAIVE}).args == (name, NAIVE, "a datetime with a time zone")
    tokyo = AT.astimezone(ZoneInfo("Asia/Tokyo"))
    kept = getattr(changed(NEW, **{name: tokyo}), name)
    assert kept == tokyo
    assert kept.tzinfo is UTC


def test_a_pause_knows_since_when_in_utc() -> None:
    assert Pause(PauseReason.USER, AT.astimezone(ZoneInfo("Asia/Tokyo"))).since.tzinfo is UTC
    with pytest.raises(InvalidValue, match=r"^since is "):
        Pause(PauseReason.USER, NAIVE)
    with pytest.raises(
        InvalidValue, match=r"^reason is 'tired'; allowed: user, budget_exhausted, "
    ):
        Pause("tired", AT)


@pytest.mark.parametrize("wrong", [-1, 1.0, True, "1", None, 2**63])
@pytest.mark.parametrize("name", COUNTS.split())
def test_counts_are_whole_and_not_negative(name: str, wrong: Any) -> None:
    assert refused(**{name: wrong}).args == (name, wrong, "a whole number from 0 to 2^63 - 1")
    assert getattr(changed(NEW, **{name: 7}), name) == 7


@pytest.mark.parametrize("wrong", ["a\0b", "\udfff", 5, b"x"])
@pytest.mark.parametrize("name", TEXTS.split())
def test_texts_hold_nothing_that_a_store_cannot_keep(name: str, wrong: Any) -> None:
    refusal = refused(**{name: wrong})
    assert (refusal.field, refusal.value) == (name, wrong)
    assert refusal.allowed.startswith("text")


@pytest.mark.parametrize("wrong", ["", "..", "a/b", "a b", "x" * 129, "a\0", 5])
@pytest.mark.parametrize("name", IDS)
def test_ids_hold_nothing_that_means_something_in_a_path(name: str, wrong: Any) -> None:
    assert (refused(**{name: wrong}).field, refused(**{name: wrong}).value) == (name, wrong)
    assert getattr(changed(NEW, **{name: "a-1"}), name) == "a-1"


def test_every_text_every_count_and_every_instant_of_a_session_is_checked_above() -> None:
    kinds = {
        attribute.name: str(attribute.type).removesuffix(" | None") for attribute in fields(Session)
    }
    assert {name for name, kind in kinds.items() if kind == "datetime"} == set(INSTANTS.split())
    parameters = {"sample_rate", "channels", "retention_days"}
    parameters |= {"max_active_us", "max_wall_clock_us"}
    assert {name for name, kind in kinds.items() if kind == "int"} == {*COUNTS.split(), *parameters}
    assert {name for name, kind in kinds.items() if kind == "str"} == {*TEXTS.split(), "user_id"}
    assert {name for name, kind in kinds.items() if kind.endswith("Id")} == set(IDS) - {"user_id"}


@pytest.mark.parametrize("name", ["secrets_blurred", "enabled_panels"])
def test_several_texts_are_a_tuple_of_texts_and_not_the_letters_of_one(name: str) -> None:
    assert getattr(changed(NEW, **{name: ["phone", "email"]}), name) == ("phone", "email")
    assert refused(**{name: "phone"}).args == (name, "phone", "several texts, not one")
    assert (refused(**{name: ["a\0"]}).field, refused(**{name: [5]}).allowed) == (name, "text")


def test_no_panels_are_not_the_same_as_panels_that_were_not_set() -> None:
    assert changed(NEW, enabled_panels=None).enabled_panels is None
    assert changed(NEW, enabled_panels=()).enabled_panels == ()


def test_states_and_reasons_are_words_of_their_lists() -> None:
    assert changed(NEW, state="LIVE").state is SessionState.LIVE
    assert changed(NEW, end_reason="expired").end_reason is EndReason.EXPIRED
    assert refused(state="live").args == ("state", "live", "IDLE, CONNECTING, LIVE, PAUSED, ENDED")
    assert refused(end_reason="bored").field == "end_reason"


@pytest.mark.parametrize("wrong", [0, 1, "true", "no"])
def test_consent_is_yes_no_or_not_asked_and_never_a_number(wrong: Any) -> None:
    allowed = "None (not asked), False or True"
    assert refused(recording_consent=wrong).args == ("recording_consent", wrong, allowed)


@pytest.mark.parametrize("days", [-1, 0, 1, 36_500])
def test_a_recording_may_be_kept_for_days_or_for_good(days: int) -> None:
    assert changed(NEW, retention_days=days).retention_days == days


@pytest.mark.parametrize("wrong", [-2, 0.5, True, "30", None])
def test_other_retentions_are_refused(wrong: Any) -> None:
    allowed = "whole days, or -1 for good"
    assert refused(retention_days=wrong).args == ("retention_days", wrong, allowed)


@pytest.mark.parametrize("encoding", ["pcm_s16le", "pcm_f32le", "mulaw", "alaw"])
@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_session_takes_audio_as_it_comes(encoding: str, sample_rate: int, channels: int) -> None:
    session = changed(NEW, encoding=encoding, sample_rate=sample_rate, channels=channels)
    assert session.audio_format == AudioFormat(Encoding(encoding), sample_rate, channels)


@pytest.mark.parametrize("wrong", ["opus", "PCM_S16LE", "", None])
def test_an_encoding_that_does_not_exist_is_refused(wrong: Any) -> None:
    allowed = "pcm_s16le, pcm_f32le, mulaw, alaw"
    assert refused(encoding=wrong).args == ("encoding", wrong, allowed)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("sample_rate", 7_999), ("sample_rate", 48_001), ("channels", 0), ("channels", 3)],
)
def test_a_format_that_does_not_exist_is_refused_by_the_name_of_its_part(
    name: str, wrong: int
) -> None:
    assert refused(**{name: wrong}).field == name


@settings(max_examples=examples(40))
@given(sessions())
def test_the_status_follows_from_how_it_ended(session: Session) -> None:
    if session.state is SessionState.ENDED:
        assert session.end_reason is not None
        assert session.status is STATUS_OF_END[session.end_reason]
    else:
        assert session.status is SessionStatus.ACTIVE


@settings(max_examples=examples(40))
@given(sessions(SessionState.PAUSED))
def test_a_paused_session_tells_each_of_its_reasons(session: Session) -> None:
    assert session.pause_reasons == {pause.reason for pause in session.pauses} != set()


@pytest.mark.parametrize("consent", [None, False, True])
def test_audio_is_kept_if_it_is_wanted_and_nobody_refused(consent: bool | None) -> None:
    assert changed(NEW, store_audio=True, recording_consent=consent).keeps_audio == (
        consent is not False
    )
    assert not changed(NEW, store_audio=False, recording_consent=consent).keeps_audio


def test_media_time_is_told_in_seconds_and_charged_audio_in_minutes() -> None:
    session = changed(NEW, audio_duration_us=45_600_000, audio_used_us=330_000_000)
    assert (session.audio_duration_seconds, session.audio_minutes_used) == (45.6, 5.5)


def test_what_is_left_of_the_day_is_unlimited_unless_said() -> None:
    assert DailyRemaining() == DailyRemaining(audio_us=None, video_tokens=None, screen_tokens=None)
    assert changed(NEW, daily_budget_remaining=DailyRemaining(audio_us=1)).daily_budget_remaining


# --- Where it may go --------------------------------------------------------------------


@settings(max_examples=examples(30))
@given(sessions(), instants(), st.data())
def test_a_session_can_go_where_one_event_would_take_it(
    session: Session, at: datetime, data: st.DataObject
) -> None:
    def after(kind: type[SessionEvent]) -> SessionState:
        event = data.draw(events_of(kind, at))
        return apply(session, event).state if is_legal(session, event) else session.state

    reachable = {after(kind) for kind in EVENT_KINDS} - {session.state}
    assert {state for state in SessionState if session.can_transition_to(state)} == reachable


def test_a_session_can_be_asked_by_the_name_of_a_state() -> None:
    live = changed(NEW, state=SessionState.LIVE)
    assert live.can_transition_to("PAUSED")
    assert not live.can_transition_to("LIVE")
    assert not live.can_transition_to("IDLE")
    with pytest.raises(InvalidValue, match="SessionState is 'paused'; allowed: IDLE, CONNECTING,"):
        live.can_transition_to("paused")


def test_no_single_event_lifts_two_reasons_that_have_nothing_in_common() -> None:
    since = AT - timedelta(seconds=1)
    lost = (Pause(PauseReason.WORKER_LOST, since), Pause(PauseReason.SHUTDOWN, since))
    both = (Pause(PauseReason.USER, since), Pause(PauseReason.BUDGET_EXHAUSTED, since))
    assert changed(NEW, state="PAUSED", pauses=lost).can_transition_to("LIVE")
    assert not changed(NEW, state="PAUSED", pauses=both).can_transition_to("LIVE")
    assert changed(NEW, state="PAUSED", pauses=both).can_transition_to("ENDED")


def test_metadata_is_what_metadata_json_writes() -> None:
    wordy = '{"a":"' + "é" * 8_190 + '"}'
    assert refused(metadata_json=wordy).field == "metadata_json"
    assert refused(metadata_json="[]").allowed == "what `metadata_json` returns"


def test_metadata_is_a_fresh_copy_each_time() -> None:
    session = changed(NEW, metadata_json='{"a":[1]}')
    session.metadata["a"].append(2)
    assert session.metadata == {"a": [1]}


@pytest.mark.parametrize("user", ["ada@example.com", "auth0|5f7c", "Jörg", "x", "x" * 256])
def test_a_user_is_named_as_the_host_names_them(user: str) -> None:
    assert changed(NEW, user_id=user).user_id == user


@pytest.mark.parametrize("wrong", ["", "x" * 257, "a\0b", 5])
def test_a_user_has_a_name_of_bounded_length(wrong: Any) -> None:
    assert refused(user_id=wrong).field == "user_id"


@pytest.mark.parametrize("wrong", [0, 1, None, "true"])
def test_a_legal_hold_is_there_or_not(wrong: Any) -> None:
    assert NEW.legal_hold is False
    assert changed(NEW, legal_hold=True).legal_hold is True
    assert refused(legal_hold=wrong).args == ("legal_hold", wrong, "true or false")
