"""The calls for one session and for lists of them: shapes, defaults and statuses of the protocol."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp

import voicesession
from voicesession import Limit, SessionManager
from voicesession.core.accounts import Account, Scope
from voicesession.core.deadlines import LifePolicy
from voicesession.core.meters import Meter
from voicesession.core.windows import Window
from voicesession.runtime.clock import SteppedClock
from voicesession.web.options import WebOptions
from voicesession.web.principal import Authenticator
from voicesession.web.starlette import voice_app

Clients = Callable[..., httpx2.AsyncClient]
Finisher = Callable[..., Any]

SESSIONS = "/v1/sessions"
ROW = {
    *("id", "room_name", "state", "status", "language", "model", "audio_duration_seconds"),
    *("utterance_count", "word_count", "started_at", "ended_at"),
}
RECORD = """
    id tenant_id user_id created_by created_at started_at live_at updated_at ended_at
    state status pause_reasons end_reason error seq deadline_at
    mode language model encoding sample_rate channels store_audio store_transcript enhance_on_end
    retention_days device_type client_version
    recording_consent consent_by consent_wording consent_at secrets_blurred
    transcript_partial transcript_final
    audio_uri audio_partial transcript_uri enhancement_job_id previous_session_id legal_hold
    audio_duration_seconds utterance_count word_count message_count audio_chunks_received
    audio_chunks_processed audio_minutes_used daily_budget_remaining
    session_template_id room_name modality_profile enabled_panels token_expiry
    worker_id epoch lease_expires_at client_ip metadata
    websocket_url links
"""
"""Written out from the protocol: what a client has seen once is there for good."""
DEFAULTS = {
    "mode": "LS1A",
    "language": "auto",
    "model": "fast",
    "encoding": "pcm_s16le",
    "sample_rate": 16_000,
    "channels": 1,
    "store_audio": False,
    "store_transcript": False,
    "enhance_on_end": False,
    "recording_consent": None,
    "secrets_blurred": [],
    "retention_days": 30,
    "metadata": {},
}


async def created(client: httpx2.AsyncClient, **wanted: Any) -> dict[str, Any]:
    answer = await client.post(SESSIONS, json=wanted)
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()["session"]
    return session


async def code_of(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    return answer.status_code, told["code"]


def recordings_in(folder: Path) -> list[Path]:
    return [*folder.rglob("audio*.wav")]


# --- create ------------------------------------------------------------------------------


async def test_a_new_session_is_connecting_and_has_the_defaults(ada: httpx2.AsyncClient) -> None:
    answer = await ada.post(SESSIONS, json={})
    session = answer.json()["session"]
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{SESSIONS}/{session['id']}"
    assert answer.headers["etag"] == f'"{session["seq"]}"'
    assert session["state"] == "CONNECTING"
    assert session["status"] == "active"
    assert (session["tenant_id"], session["user_id"], session["created_by"]) == (
        "acme",
        "ada",
        "ada",
    )
    assert session.items() >= DEFAULTS.items()
    assert session["links"] == {}
    assert set(session) == set(RECORD.split())
    journal = (await ada.get(f"{SESSIONS}/{session['id']}/events")).json()
    assert [event["type"] for event in journal["events"]] == ["connect_requested"]


async def test_what_is_wished_for_is_what_is_made(ada: httpx2.AsyncClient) -> None:
    wish = {
        "mode": "transcription",
        "language": "de",
        "model": "accurate",
        "encoding": "mulaw",
        "sample_rate": 8000,
        "channels": 2,
        "store_audio": True,
        "store_transcript": True,
        "enhance_on_end": True,
        "recording_consent": True,
        "secrets_blurred": ["phone"],
        "retention_days": -1,
        "metadata": {"call": {"no": 42}},
        "device_type": "phone",
        "client_version": "1.2",
    }
    session = await created(ada, **wish, session_id="my-own:id.1", namespace_id="acme")
    assert session.items() >= wish.items()
    assert session["id"] == "my-own:id.1"
    assert await code_of(await ada.post(SESSIONS, json={"session_id": "my-own:id.1"})) == (
        409,
        "session_exists",
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"language": 5}', "language"),
        ('{"store_audio": "yes"}', "store_audio"),
        ('{"sample_rate": 7999}', "sample_rate"),
        ('{"encoding": "mp3"}', "encoding"),
        ('{"colour": "red"}', "colour"),
        ('{"session_id": "../etc"}', "session_id"),
        ('{"user_id": "a\\u0000b"}', "user_id"),
        ('{"metadata": {"a": NaN}}', "metadata"),
        ('{"metadata": [1]}', "metadata"),
        ('{"retention_days": -2}', "retention_days"),
        ("{", "body"),
        ("[]", "body"),
        ("\xff", "body"),
    ],
)
async def test_a_bad_body_is_a_400_that_names_the_field_and_not_the_value(
    boss: httpx2.AsyncClient, body: str, field: str
) -> None:
    headers = {"content-type": "application/json"}
    answer = await boss.post(SESSIONS, content=body.encode("latin-1"), headers=headers)
    assert await code_of(answer) == (400, "invalid_value")
    assert answer.json()["field"] == field
    assert (await boss.get(SESSIONS)).json()["sessions"] == []


async def test_a_body_that_a_page_of_another_site_could_send_is_refused(
    ada: httpx2.AsyncClient,
) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = await ada.post(SESSIONS, content=b"{}", headers={"content-type": kind})
        assert await code_of(answer) == (400, "invalid_value")


async def test_the_same_key_gives_the_same_session_however_often_it_is_sent(
    ada: httpx2.AsyncClient, as_person: Clients
) -> None:
    key, wish = {"idempotency-key": "call-42"}, {"language": "en", "secrets_blurred": ["phone"]}
    first = await ada.post(SESSIONS, json=wish, headers=key)
    again = await ada.post(SESSIONS, json=wish, headers=key)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    replayed = [answer.headers["idempotent-replayed"] for answer in (first, again)]
    assert replayed == ["false", "true"]
    other = await ada.post(SESSIONS, json=wish | {"language": "de"}, headers=key)
    assert await code_of(other) == (409, "idempotency_conflict")
    bobs = await as_person("bob").post(SESSIONS, json=wish, headers=key)
    assert bobs.json()["session"]["id"] != first.json()["session"]["id"]
    assert await code_of(await ada.post(SESSIONS, json={}, headers={"idempotency-key": "a b"})) == (
        400,
        "invalid_value",
    )


async def test_a_replay_is_answered_though_the_quota_is_full(
    tmp_path: Path, keys: Authenticator, as_person: Clients
) -> None:
    async with voicesession.open("memory://") as voice:
        ada = as_person("ada", of=voice_app(voice, authenticator=keys))
        key = {"idempotency-key": "the-last-one"}
        for number in range(4):
            await created(ada, session_id=f"s{number}")
        last = await ada.post(SESSIONS, json={}, headers=key)
        full = await ada.post(SESSIONS, json={})
        assert await code_of(full) == (429, "quota_exceeded")
        assert full.json()["detail"] == "Maximum 5 concurrent sessions allowed"
        assert int(full.headers["retry-after"]) >= 1
        assert (await ada.post(SESSIONS, json={}, headers=key)).json() == last.json()


async def test_a_session_that_continues_another_says_so(
    ada: httpx2.AsyncClient, finished: Finisher
) -> None:
    earlier = await finished()
    session = await created(ada, resume_session_id=earlier, store_transcript=True)
    assert session["previous_session_id"] == earlier
    merged = await ada.get(f"{SESSIONS}/{session['id']}/transcript", params={"merge": "linked"})
    assert "treasure" in merged.json()["text"]
    assert await code_of(await ada.post(SESSIONS, json={"resume_session_id": "sess_x"})) == (
        404,
        "session_not_found",
    )


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"host": "voice.example:8443"}, "ws://voice.example:8443"),
        ({"host": "in side", "x-forwarded-host": "evil.example"}, "ws://localhost:8123"),
    ],
)
async def test_the_websocket_url_names_us_as_the_caller_does_and_believes_no_stranger(
    voice: SessionManager,
    keys: Authenticator,
    as_person: Clients,
    headers: dict[str, str],
    url: str,
) -> None:
    app = voice_app(voice, authenticator=keys, options=WebOptions(port=8123))
    session = (await as_person("ada", of=app).post(SESSIONS, json={}, headers=headers)).json()
    path = f"{SESSIONS}/{session['session']['id']}/stream"
    assert session["session"]["websocket_url"] == url + path


async def test_behind_a_trusted_proxy_its_word_counts(
    voice: SessionManager, keys: Authenticator, as_person: Clients
) -> None:
    options = WebOptions(trusted_proxies=("127.0.0.0/8",))
    ada = as_person("ada", of=voice_app(voice, authenticator=keys, options=options))
    headers = {
        "x-forwarded-proto": "https",
        "x-forwarded-host": "voice.example",
        "x-forwarded-for": "6.6.6.6, 203.0.113.9, 127.0.0.3",
    }
    session = (await ada.post(SESSIONS, json={"store_transcript": True}, headers=headers)).json()
    told = session["session"]
    assert told["websocket_url"].startswith("wss://voice.example/v1/sessions/")
    assert told["links"]["transcript"].startswith("https://voice.example/v1/sessions/")
    assert told["client_ip"] == "203.0.113.9"


# --- read --------------------------------------------------------------------------------


async def test_an_unknown_id_is_a_404_whatever_it_looks_like(ada: httpx2.AsyncClient) -> None:
    for name in ("sess_x", "%00", "a%20b", "x" * 200, "..%5C.."):
        assert await code_of(await ada.get(f"{SESSIONS}/{name}")) == (404, "session_not_found")


async def test_an_expired_session_is_still_shown_and_cannot_be_resumed(
    keys: Authenticator, as_person: Clients
) -> None:
    clock = SteppedClock(voicesession.open("memory://").now())
    life = LifePolicy(connect_window=timedelta(days=9), time_to_live=timedelta(minutes=1))
    async with voicesession.open("memory://", clock=clock, life=life) as voice:
        ada = as_person("ada", of=voice_app(voice, authenticator=keys))
        session = await created(ada)
        clock.advance(61_000_000)
        shown = await ada.get(f"{SESSIONS}/{session['id']}")
        assert shown.status_code == 200
        assert (shown.json()["session"]["end_reason"], shown.json()["session"]["status"]) == (
            "expired",
            "completed",
        )
        resumed = await ada.post(f"{SESSIONS}/{session['id']}/resume")
        assert await code_of(resumed) == (410, "session_expired")


async def test_a_list_goes_page_by_page_in_either_way_of_counting(
    ada: httpx2.AsyncClient, boss: httpx2.AsyncClient
) -> None:
    ids = [(await created(ada, session_id=f"s{number}"))["id"] for number in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2"} | ({} if cursor is None else {"cursor": cursor})
        page = (await ada.get(SESSIONS, params=params)).json()
        seen += [row["id"] for row in page["sessions"]]
        assert page["pagination"].keys() == {"limit", "next_cursor", "has_more"}
        assert page["pagination"]["has_more"] == (page["pagination"]["next_cursor"] is not None)
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            break
    assert seen == ids[::-1]
    counted = (await ada.get(SESSIONS, params={"offset": "1", "limit": "2", "order": "asc"})).json()
    assert [row["id"] for row in counted["sessions"]] == ids[1:3]
    assert all(row.keys() >= ROW for row in counted["sessions"])
    await boss.post(f"{SESSIONS}/s0/end")
    ended = (await ada.get(SESSIONS, params={"state": "ENDED", "status": "completed"})).json()
    assert [row["id"] for row in ended["sessions"]] == ["s0"]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "101"},
        {"limit": "0"},
        {"limit": "many"},
        {"state": "live"},
        {"since": "2026-01-01T00:00:00"},
        {"cursor": "made-up"},
        {"color": "red"},
        [("limit", "1"), ("limit", "2")],
    ],
)
async def test_a_bad_parameter_is_a_400(ada: httpx2.AsyncClient, params: Any) -> None:
    assert await code_of(await ada.get(SESSIONS, params=params)) == (400, "invalid_value")


@pytest.mark.parametrize("name", ["since", "until"])
async def test_an_instant_without_a_time_zone_is_refused_by_its_name(
    ada: httpx2.AsyncClient, name: str
) -> None:
    answer = await ada.get(SESSIONS, params={name: "2026-01-01T00:00:00"})
    assert (answer.status_code, answer.json()["field"]) == (400, name)


async def test_what_may_be_read_may_be_asked_about_on_either_framework(
    voice: SessionManager, make_app: Callable[..., ASGIApp], keys: Any, as_person: Any
) -> None:
    ada = as_person("ada", of=make_app(voice, authenticator=keys))
    session = (await ada.post(SESSIONS, json={})).json()["session"]
    answer = await ada.head(f"{SESSIONS}/{session['id']}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == '"1"'


async def test_stats_tell_how_a_session_does_and_not_whose_it_is(
    ada: httpx2.AsyncClient, finished: Finisher
) -> None:
    session_id = await finished(device_type="phone")
    stats = (await ada.get(f"{SESSIONS}/{session_id}/stats")).json()
    assert stats.pop("age_seconds") >= 0
    assert stats == {
        "session_id_truncated": session_id[-8:],
        "status": "completed",
        "message_count": 1,
        "pending_tasks_count": 0,
        "audio_chunks_received": 1,
        "audio_chunks_processed": 1,
        "device_type": "phone",
    }


async def test_tasks_are_listed_and_the_enhancement_shows_in_the_session(
    ada: httpx2.AsyncClient, finished: Finisher
) -> None:
    session_id = await finished(enhance_on_end=True)
    (task,) = (await ada.get(f"{SESSIONS}/{session_id}/tasks")).json()
    assert task.keys() == {
        *("id", "session_id", "type", "state", "created_at", "updated_at"),
        *("result_available", "error_message"),
    }
    assert (task["type"], task["state"]) == ("enhancement", "pending")
    session = (await ada.get(f"{SESSIONS}/{session_id}")).json()["session"]
    assert session["enhancement"] == {"job_id": task["id"], "state": "pending"}
    assert session["links"].keys() == {"audio", "transcript"}
    none = await ada.get(f"{SESSIONS}/{session_id}/tasks", params={"state": "running"})
    assert none.json() == []


# --- change --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_details_change_and_everything_else_is_refused(
    ada: httpx2.AsyncClient, method: str
) -> None:
    path = f"{SESSIONS}/{(await created(ada))['id']}"
    changed = await ada.request(
        method, path, json={"metadata": {"a": 1}, "transcript_partial": "Hel"}
    )
    assert changed.json()["session"]["metadata"] == {"a": 1}
    assert changed.json()["session"]["seq"] == 2
    for name in ("language", "mode", "user_id", "state", "store_audio", "id"):
        answer = await ada.request(method, path, json={name: "other", "metadata": {"a": 2}})
        assert await code_of(answer) == (400, "invalid_value")
        assert answer.json()["field"] == name
    assert (await ada.get(path)).json() == changed.json()


async def test_with_if_match_only_the_version_that_was_seen_is_changed(
    ada: httpx2.AsyncClient,
) -> None:
    path = f"{SESSIONS}/{(await created(ada))['id']}"
    seen = (await ada.get(path)).headers["etag"]
    for tag, status in ((seen, 200), (seen, 409), ("*", 200), ('"99"', 409), ("5", 400)):
        answer = await ada.patch(path, json={"metadata": {}}, headers={"if-match": tag})
        assert answer.status_code == status
    assert (await ada.get(path)).json()["session"]["seq"] == 3


async def test_usage_is_reported_by_those_with_the_scope_and_never_shrinks(
    as_person: Clients, ada: httpx2.AsyncClient, voice: SessionManager
) -> None:
    path = f"{SESSIONS}/{(await created(ada))['id']}"
    wish = {"audio_minutes_used": 1.5, "daily_budget_remaining": {"audioMin": 2, "videoTokens": 7}}
    assert await code_of(await ada.patch(path, json=wish)) == (403, "access_denied")
    meter = as_person("meter")
    told = (await meter.patch(path, json=wish)).json()["session"]
    assert told["audio_minutes_used"] == 1.5
    assert told["daily_budget_remaining"] == {
        "audioMin": 2.0,
        "videoTokens": 7,
        "screenTokens": None,
    }
    less = await meter.patch(path, json={"audio_minutes_used": 1.4})
    assert await code_of(less) == (400, "invalid_value")
    kept = (await meter.patch(path, json={"daily_budget_remaining": {"audioMin": 1}})).json()
    assert kept["session"]["daily_budget_remaining"]["videoTokens"] == 7
    status = await voice.for_tenant("acme").budgets.get_budget_status("ada")
    assert status["audio_minutes"]["used"] == 1.5
    assert status["audio_minutes"]["remaining"] == 1
    stale = await meter.patch(path, json={"audio_minutes_used": 9}, headers={"if-match": '"1"'})
    assert await code_of(stale) == (409, "version_conflict")
    words = await meter.patch(path, json={"metadata": {"a": 1}})
    assert await code_of(words) == (403, "access_denied")


# --- command --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_session_is_paused_resumed_and_ended(
    ada: httpx2.AsyncClient, voice: SessionManager, method: str
) -> None:
    session_id = (await created(ada))["id"]

    async def tell(command: str, **body: str) -> httpx2.Response:
        return await ada.request(method, f"{SESSIONS}/{session_id}/{command}", json=body or None)

    assert await code_of(await tell("pause")) == (409, "invalid_state")
    async with voice.for_tenant("acme").attach(session_id) as handle:
        await handle.live()
        assert (await tell("pause", reason="lunch")).json()["session"]["pause_reasons"] == ["user"]
        assert await code_of(await tell("pause")) == (409, "invalid_state")
        assert (await tell("resume")).json()["session"]["state"] == "LIVE"
        ended = (await tell("end", reason="cancelled")).json()["session"]
        assert (ended["state"], ended["end_reason"]) == ("ENDED", "cancelled")
    assert (await tell("end")).json()["session"]["end_reason"] == "cancelled"
    assert await code_of(await tell("resume")) == (409, "session_not_active")
    assert await code_of(await tell("end", reason="expired")) == (400, "invalid_value")


async def test_a_session_without_budget_is_resumed_once_there_is_some(
    ada: httpx2.AsyncClient, boss: httpx2.AsyncClient, voice: SessionManager
) -> None:
    acme = voice.for_tenant("acme")
    account = Account(Scope.USER, "ada", acme.tenant_id)
    limit = Limit(account=account, meter=Meter.AUDIO_US, window=Window.DAY, amount=60_000_000)
    await acme.budgets.set_limit(limit)
    session_id = (await created(ada))["id"]
    async with acme.attach(session_id) as handle:
        await handle.live()
        await handle.charge(audio_minutes=1)
        assert handle.session.pause_reasons == {"budget_exhausted"}
        resume = f"{SESSIONS}/{session_id}/resume"
        assert await code_of(await ada.post(resume)) == (402, "budget_exhausted")
        raised = {"meter": "audio_us", "window": "day", "raise_by": 60_000_000}
        assert (await boss.put("/v1/budgets/user/ada", json=raised)).status_code == 200
        assert (await ada.post(resume)).json()["session"]["state"] == "LIVE"


async def test_a_session_is_deleted_with_all_that_belongs_to_it(
    ada: httpx2.AsyncClient, voice: SessionManager, finished: Finisher, tmp_path: Path
) -> None:
    active = (await created(ada))["id"]
    assert await code_of(await ada.delete(f"{SESSIONS}/{active}")) == (409, "invalid_state")
    over = await finished()
    for session_id, params in ((active, {"end": "true"}), (over, {})):
        answer = await ada.delete(f"{SESSIONS}/{session_id}", params=params)
        assert answer.json() == {"deleted": True, "session_id": session_id}
        assert (await ada.get(f"{SESSIONS}/{session_id}")).status_code == 404
    assert recordings_in(tmp_path) == []
    held = await finished()
    await voice.for_tenant("acme").set_legal_hold(held, held=True)
    assert await code_of(await ada.delete(f"{SESSIONS}/{held}")) == (403, "access_denied")


async def test_a_worker_that_leaves_takes_nothing_new_and_says_so(
    app: ASGIApp, ada: httpx2.AsyncClient, voice: SessionManager
) -> None:
    assert (await ada.get("/readyz")).json() == {"status": "ready"}
    await voice.drain(within=timedelta())
    for answer in (await ada.post(SESSIONS, json={}), await ada.get("/readyz")):
        assert await code_of(answer) == (503, "draining")
        assert int(answer.headers["retry-after"]) >= 1
    assert (await ada.get("/healthz")).json() == {"status": "ok"}
