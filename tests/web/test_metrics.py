"""What a worker has measured is for those who run it, in the words of Prometheus."""

import threading
from collections.abc import Callable

import httpx2
import pytest

from voicesession import SessionManager
from voicesession.web.endpoints.health import PROMETHEUS_TEXT
from voicesession.web.options import WebOptions
from voicesession.web.principal import Authenticator

MEASURED = b"# TYPE session_active gauge\nsession_active 3.0\n"


async def test_an_administrator_is_told_what_the_host_gathers(
    make_app: Callable[..., object],
    voice: SessionManager,
    keys: Authenticator,
    as_person: Callable[..., httpx2.AsyncClient],
) -> None:
    threads: list[int] = []

    def gather() -> bytes:
        threads.append(threading.get_ident())
        return MEASURED

    app = make_app(voice, authenticator=keys, options=WebOptions(metrics=gather))
    answer = await as_person("boss", of=app).get("/metrics")
    assert (answer.status_code, answer.content) == (200, MEASURED)
    assert answer.headers["content-type"] == PROMETHEUS_TEXT
    assert threads != [threading.get_ident()], "the loop of the audio has waited for it"


@pytest.mark.parametrize("person", ["ada", "backend", "meter"])
async def test_nobody_else_is_told(
    person: str,
    make_app: Callable[..., object],
    voice: SessionManager,
    keys: Authenticator,
    as_person: Callable[..., httpx2.AsyncClient],
) -> None:
    app = make_app(voice, authenticator=keys, options=WebOptions(metrics=lambda: MEASURED))
    answer = await as_person(person, of=app).get("/metrics")
    assert (answer.status_code, answer.json()["code"]) == (403, "access_denied")


async def test_where_the_host_gathers_none_there_are_none(boss: httpx2.AsyncClient) -> None:
    answer = await boss.get("/metrics")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
