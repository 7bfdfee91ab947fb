"""What every answer is careful about, and what no log line ever holds."""

import gzip
import logging
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.patience import PATIENCE_S

from voicesession import SessionManager
from voicesession.core import errors
from voicesession.core.errors import InvalidConfig, StoreTimeout, StoreUnavailable
from voicesession.web.gate import SECURITY_HEADERS
from voicesession.web.options import WebOptions
from voicesession.web.principal import Authenticator, Credentials, Principal
from voicesession.web.rates import Rate
from voicesession.web.routes import ROUTES
from voicesession.web.starlette import voice_app

Clients = Callable[..., httpx2.AsyncClient]
SESSIONS = "/v1/sessions"


EVIL = {"origin": "https://evil.example"}


async def test_every_answer_of_ours_has_the_security_headers_on_either_framework(
    voice: SessionManager,
    keys: Authenticator,
    make_app: Callable[..., ASGIApp],
    as_person: Clients,
    finished: Callable[..., Any],
) -> None:
    app, url = make_app(voice, authenticator=keys), f"{SESSIONS}/{await finished()}"
    ada, nobody = as_person("ada", of=app), as_person(of=app)
    for answer in [
        await ada.get(url, headers=EVIL),
        await ada.get(f"{url}/audio", headers=EVIL),
        await ada.get(f"{SESSIONS}/sess_x", headers=EVIL),
        await ada.post(SESSIONS, content=b"{", headers=EVIL),
        await nobody.get(url, headers=EVIL),
        await nobody.get("/healthz", headers=EVIL),
    ]:
        assert answer.headers.items() >= SECURITY_HEADERS.items()
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_no_other_site_is_let_in_even_where_there_is_nothing(
    ada: httpx2.AsyncClient, finished: Callable[..., Any]
) -> None:
    url, origin = f"{SESSIONS}/{await finished()}", EVIL
    for answer in [
        await ada.get("/nothing/here", headers=origin),
        await ada.delete("/healthz", headers=origin),
        await ada.options(url, headers={**origin, "access-control-request-method": "DELETE"}),
    ]:
        assert answer.headers.items() >= SECURITY_HEADERS.items()
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_what_is_at_no_address_is_a_problem_as_any_other(ada: httpx2.AsyncClient) -> None:
    nothing, wrong = await ada.get("/nothing"), await ada.delete("/healthz")
    assert (nothing.status_code, nothing.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"]
    assert (
        await ada.get(f"{SESSIONS}/")
    ).status_code == 404  # and no redirect to a host that was named


async def test_a_body_that_is_too_large_is_not_read(
    voice: SessionManager, keys: Authenticator, as_person: Clients
) -> None:
    options = WebOptions(max_body_bytes=1_000)
    ada = as_person("ada", of=voice_app(voice, authenticator=keys, options=options))
    taken = 0

    async def endless() -> Any:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 100

    headers = {"content-type": "application/json"}
    for content in (b"x" * 1_001, endless()):
        answer = await ada.post(SESSIONS, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert taken <= 20
    fits = {"metadata": {"a": "x" * 900}}
    assert (await ada.post(SESSIONS, json=fits)).status_code == 201


async def test_a_body_that_comes_in_drops_is_not_waited_for(
    voice: SessionManager, keys: Authenticator, as_person: Clients
) -> None:
    options = WebOptions(body_within=timedelta(milliseconds=50))
    ada = as_person("ada", of=voice_app(voice, authenticator=keys, options=options))

    async def drops() -> Any:
        yield b"{"
        await anyio.sleep_forever()

    headers = {"content-type": "application/json"}
    answer = await ada.post(SESSIONS, content=drops(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (408, "request_timeout")


async def test_a_secret_that_could_be_guessed_is_refused_before_anything_is_served(
    voice: SessionManager,
) -> None:
    with pytest.raises(InvalidConfig) as caught:
        voice_app(voice, options=WebOptions(secret=b"hunter2"))
    assert "hunter2" not in str(caught.value)


async def test_who_calls_too_often_waits_and_the_others_do_not(
    voice: SessionManager, keys: Authenticator, as_person: Clients
) -> None:
    options = WebOptions(rate=Rate(per_second=1, burst=3))
    app = voice_app(voice, authenticator=keys, options=options)
    ada, bob = as_person("ada", of=app), as_person("bob", of=app)
    statuses = [(await ada.get(SESSIONS)).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    told = await ada.get(SESSIONS)
    assert told.json()["code"] == "rate_limited"
    assert int(told.headers["retry-after"]) >= 1
    assert (await bob.get(SESSIONS)).status_code == 200
    guesses = [
        (await as_person(f"guess {number}", of=app).get(SESSIONS)).status_code
        for number in range(5)
    ]
    assert guesses == [401, 401, 401, 429, 429]


async def test_callers_that_send_in_drops_hold_up_nobody_and_are_not_waited_for(
    voice: SessionManager,
    keys: Authenticator,
    make_app: Callable[..., ASGIApp],
    serving: Callable[..., Any],
) -> None:
    options = WebOptions(body_within=timedelta(seconds=1))
    app = make_app(voice, authenticator=keys, options=options)
    async with serving(app) as url, httpx2.AsyncClient(headers={"x-api-key": "ada"}) as client:
        port = int(url.rpartition(":")[2])
        slow = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(20)]
        for connection in slow:
            await connection.send(
                b"POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ada\r\n"
                b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            )
        with anyio.fail_after(PATIENCE_S):
            assert (await client.post(f"{url}{SESSIONS}", json={})).status_code == 201
            for connection in slow:
                assert (await connection.receive()).startswith(b"HTTP/1.1 408 ")
                await connection.aclose()


async def test_a_caller_that_leaves_in_the_middle_of_its_body_is_no_fault_of_ours(
    voice: SessionManager,
    keys: Authenticator,
    make_app: Callable[..., ASGIApp],
    serving: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    app, left = make_app(voice, authenticator=keys), anyio.Event()

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        finally:
            left.set()

    async with serving(watched) as url:
        connection = await anyio.connect_tcp("127.0.0.1", int(url.rpartition(":")[2]))
        await connection.send(
            b"POST /v1/sessions HTTP/1.1\r\nhost: localhost\r\nx-api-key: ada\r\n"
            b"content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
        await connection.aclose()
        with anyio.fail_after(PATIENCE_S):
            await left.wait()
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert (await voice.for_tenant("acme").find()).sessions == ()


class Broken:
    """An authenticator of the host's that has a fault."""

    async def authenticate(self, _credentials: Credentials, /) -> Principal:
        raise RuntimeError("postgres at 10.0.0.7 with secret")


async def test_an_authenticator_that_fails_lets_nobody_in_and_is_told_without_its_words(
    voice: SessionManager,
    make_app: Callable[..., ASGIApp],
    as_person: Clients,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await as_person("ada", of=make_app(voice, authenticator=Broken())).get(SESSIONS)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers.items() >= SECURITY_HEADERS.items()
    for secret in ("secret", "10.0.0.7", "postgres"):
        assert secret not in answer.text + caplog.text
    assert "RuntimeError" in caplog.text


JSON_TYPE = b"content-type: application/json"
NO_TEXT = {
    "a body in UTF-16": (b"POST", b"", '{"language": "en"}'.encode("utf-16"), JSON_TYPE),
    "a body that says so": (b"POST", b"", "{}".encode("utf-16"), JSON_TYPE + b"; charset=utf-16"),
    "a packed body": (
        b"POST",
        b"",
        gzip.compress(b"{}"),
        JSON_TYPE + b"\r\ncontent-encoding: gzip",
    ),
    "half a surrogate": (b"POST", b"", b'{"language": "\\ud800"}', JSON_TYPE),
    "bytes that are no text": (b"POST", b"", b'{"language": "\xff"}', JSON_TYPE),
    "a path that is no text": (b"GET", b"/%ff%fe", b"", b"accept: */*"),
    "a NUL in the path": (b"GET", b"/%00", b"", b"accept: */*"),
    "a query that is no text": (b"GET", b"?user_id=%ff%00", b"", b"accept: */*"),
    "a key that is no text": (b"POST", b"", b"{}", JSON_TYPE + b"\r\nidempotency-key: \xff"),
    "a credential that is no text": (b"GET", b"", b"", b"x-api-key: \xff\xfe"),
}


@pytest.mark.parametrize("what", NO_TEXT)
async def test_whatever_is_no_text_is_refused_and_no_fault_of_ours(
    voice: SessionManager,
    keys: Authenticator,
    make_app: Callable[..., ASGIApp],
    serving: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    method, more, body, header = NO_TEXT[what]
    async with serving(make_app(voice, authenticator=keys)) as url:
        port = int(url.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as connection:
            await connection.send(
                b"%b /v1/sessions%b HTTP/1.1\r\nhost: localhost\r\nx-api-key: boss\r\n%b\r\n"
                b"content-length: %d\r\n\r\n%b" % (method, more, header, len(body), body)
            )
            with anyio.fail_after(PATIENCE_S):
                answer = await connection.receive()
    assert re.match(rb"HTTP/1.1 4\d\d ", answer), answer
    assert b"application/problem+json" in answer
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert (await voice.for_tenant("acme").find()).sessions == ()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailable("postgres at 10.0.0.7 with secret"), 503, "store_unavailable"),
        (StoreTimeout("postgres at 10.0.0.7 with secret"), 504, "store_timeout"),
        (errors.StoreError("postgres at 10.0.0.7 with secret"), 500, "internal_error"),
        (errors.DeadlineExceeded("no answer in 5 s"), 504, "timeout"),
        (RuntimeError("secret"), 500, "internal_error"),
        (KeyError("secret"), 500, "internal_error"),
    ],
)
async def test_what_fails_inside_is_told_without_its_words(
    ada: httpx2.AsyncClient,
    voice: SessionManager,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    code: str,
) -> None:
    async def failing(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(type(voice._services.storage.sessions), "load", failing)
    answer = await ada.get(f"{SESSIONS}/sess_a")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    for secret in ("secret", "10.0.0.7", "postgres"):
        assert secret not in answer.text + caplog.text


async def test_a_full_run_leaves_no_secret_no_word_and_no_full_id_in_the_log(
    app: ASGIApp,
    as_person: Clients,
    voice: SessionManager,
    finished: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    serving: Callable[..., Any],
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    for noisy in (
        "httpx2",
        "httpcore2",
        "uvicorn",
    ):  # the test's own client, and the server's access log
        logging.getLogger(noisy).setLevel(logging.ERROR)
    session_id = await finished()
    async with serving(app) as url:
        for person in ("ada", "bob", "eve", "a-guessed-key", "boss"):
            async with httpx2.AsyncClient(
                base_url=url, headers={"x-api-key": person, "x-secret": "hunter2"}
            ) as client:
                for route in ROUTES:
                    prefix = SESSIONS if "{session_id}" in route.path else ""
                    path = (prefix + route.path).format(
                        session_id=session_id, template_id="tmpl_x", scope="user", id="ada"
                    )
                    for method in route.methods:
                        if route.name != "delete_session":
                            body = {"key_hash": "hunter2", "metadata": {"a": "hunter2"}}
                            await client.request(method, path or SESSIONS, json=body)
    await voice.for_tenant("acme").delete(session_id)
    for secret in (session_id, "treasure", "hunter2", "a-guessed-key"):
        assert secret not in caplog.text
