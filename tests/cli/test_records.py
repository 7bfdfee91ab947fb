"""A session as the JSON that commands print."""

import json

from attrs import evolve, fields

from voicesession.cli.records import session_document
from voicesession.core.identity import SessionId
from voicesession.core.instants import from_us
from voicesession.core.session import DailyRemaining, Pause, Session
from voicesession.core.states import PauseReason

NOW = from_us(1_000_000)
SESSION = Session(
    id=SessionId("s1"), created_at=NOW, updated_at=NOW, state_since=NOW, last_activity_at=NOW
)


def test_a_record_is_plain_json() -> None:
    document = json.loads(json.dumps(session_document(SESSION)))
    assert document["created_at"] == "1970-01-01T00:00:01+00:00"
    assert document["secrets_blurred"] == document["pause_reasons"] == []
    assert document["daily_budget_remaining"] is None
    assert document["metadata"] == {}


def test_every_field_is_told_or_kept_back_on_purpose() -> None:
    hidden = {field.name for field in fields(Session)} - set(session_document(SESSION))
    assert hidden == {
        *("key_hash", "client_ip"),
        *("pauses", "active_us", "state_since", "last_activity_at"),
        *("audio_duration_us", "audio_used_us", "metadata_json"),
    }


def test_durations_and_budgets_are_in_the_units_of_their_names() -> None:
    document = session_document(
        evolve(
            SESSION,
            audio_duration_us=1_500_000,
            audio_used_us=90_000_000,
            daily_budget_remaining=DailyRemaining(audio_us=30_000_000, video_tokens=7),
            pauses=(Pause(PauseReason.USER, NOW), Pause(PauseReason.DISCONNECTED, NOW)),
        )
    )
    assert document["audio_duration_seconds"] == 1.5
    assert document["audio_minutes_used"] == 1.5
    assert document["daily_budget_remaining"] == {
        "audioMin": 0.5,
        "videoTokens": 7,
        "screenTokens": None,
    }
    assert document["pause_reasons"] == ["disconnected", "user"]


def test_without_a_limit_nothing_is_said_to_remain() -> None:
    document = session_document(evolve(SESSION, daily_budget_remaining=DailyRemaining()))
    assert set(document["daily_budget_remaining"].values()) == {None}
