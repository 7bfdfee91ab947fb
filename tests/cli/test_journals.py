"""A journal that is gone through again leads to where the record is, or it is told."""

from typing import Any

import anyio
import pytest
from tests.cli.stage import Command

import voicesession
from voicesession import InvalidState, InvalidValue, Speaker, Utterance
from voicesession.cli.journals import RecordDiffers, check_record, journal_of_store, replayed
from voicesession.cli.records import session_document
from voicesession.core.utterance import UtteranceId

STORE = "sqlite:///voice.db"
WORDS = Utterance(id=UtteranceId("utt_1"), speaker=Speaker.USER, text="Grüße", start_us=0, end_us=1)


@pytest.fixture
def session(command: Command) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The record and the journal of a session in the present folder, paused once, and ended."""

    async def make() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        async with voicesession.open(STORE) as voice:
            await voice.create(session_id="one", store_transcript=True)
            async with voice.attach("one") as call:
                await call.live()
                await call.final(WORDS)
                await voice.pause("one")
                await voice.resume("one")
                await call.end()
            return session_document(await voice.get("one")), await journal_of_store(voice, "one")

    return anyio.run(make)


def test_each_step_is_told_and_the_last_one_is_where_the_record_is(
    command: Command, session: object
) -> None:
    ran = command("sessions", "replay", "one", "--store", STORE)
    told = [line.split()[3:] for line in ran.stdout.splitlines()]
    assert told[:2] == [["connect_requested", "CONNECTING"], ["transport_ready", "LIVE"]]
    assert ["pause_requested", "PAUSED", "user"] in told
    assert told[-2] == ["end_requested", "ENDED"]
    assert ran.stdout.splitlines()[-1] == "the record says the same"
    steps = command("sessions", "replay", "one", "--store", STORE, "--json").document["steps"]
    assert [step["seq"] for step in steps] == [*range(1, len(told))]


def test_a_session_that_is_not_there_has_no_journal(command: Command, session: object) -> None:
    ran = command("sessions", "replay", "two", "--store", STORE)
    assert (ran.code, ran.complaint) == (1, "voicesession: there is no session two")


def test_a_record_that_says_otherwise_is_told(
    session: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    record, events = session
    *_, (_, last) = replayed(events, created_at=record["created_at"])
    check_record(record, last)
    with pytest.raises(RecordDiffers, match="state is LIVE, and not ENDED"):
        check_record(record | {"state": "LIVE"}, last)
    with pytest.raises(RecordDiffers, match="no journal"):
        check_record(record, None)


def test_a_journal_with_a_hole_or_an_illegal_move_is_none(
    session: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    record, events = session
    with pytest.raises(InvalidValue, match="seq"):
        list(replayed(events[:1] + events[2:], created_at=record["created_at"]))
    pause = next(event for event in events if event["type"] == "pause_requested")
    with pytest.raises(InvalidState):
        list(replayed([pause | {"seq": 1}], created_at=record["created_at"]))
