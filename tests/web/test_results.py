"""What is left of a session: its recording, and its words in every form."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from attrs import evolve
from starlette.types import ASGIApp

from voicesession import SessionManager
from voicesession.web.principal import Authenticator
from voicesession.web.starlette import voice_app

SESSIONS = "/v1/sessions"
Serving = Callable[[ASGIApp], Any]


@pytest.fixture
async def url(finished: Callable[..., Any]) -> str:
    return f"{SESSIONS}/{await finished()}"


async def test_the_recording_is_a_wav_that_is_not_kept_by_anybody_on_the_way(
    ada: httpx2.AsyncClient, url: str
) -> None:
    answer = await ada.get(f"{url}/audio")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["content-length"]) == len(answer.content) == 44 + 32_000
    assert answer.content[:4] == b"RIFF"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-3", slice(0, 4)),
        ("bytes=44-", slice(44, None)),
        ("bytes=-10", slice(-10, None)),
        ("bytes=32043-99999999", slice(32_043, None)),
    ],
)
async def test_a_part_of_the_recording_can_be_had(
    ada: httpx2.AsyncClient, url: str, header: str, wanted: slice
) -> None:
    whole = (await ada.get(f"{url}/audio")).content
    part = await ada.get(f"{url}/audio", headers={"range": header})
    assert part.status_code == 206
    assert part.content == whole[wanted]
    start, stop, _ = wanted.indices(len(whole))
    assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole)}"


async def test_a_range_outside_of_the_file_is_refused_with_its_size(
    ada: httpx2.AsyncClient, url: str
) -> None:
    answer = await ada.get(f"{url}/audio", headers={"range": "bytes=99999-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */32044"


async def test_there_is_no_recording_where_none_was_made(ada: httpx2.AsyncClient) -> None:
    session = (await ada.post(SESSIONS, json={})).json()["session"]
    for thing in ("audio", "transcript"):
        answer = await ada.get(f"{SESSIONS}/{session['id']}/{thing}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


class Signing:
    """An object store that can be asked directly."""

    def __init__(self, objects: Any) -> None:
        self._objects = objects

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    async def signed_url(
        self, key: str, /, *, expires_in: timedelta, filename: str | None = None
    ) -> str:
        return f"https://bucket.example/{key}?for={expires_in.total_seconds():.0f}&as={filename}"


async def test_where_the_store_can_be_asked_directly_the_caller_is_sent_there(
    voice: SessionManager,
    keys: Authenticator,
    as_person: Callable[..., httpx2.AsyncClient],
    url: str,
) -> None:
    services = voice._services
    signing = evolve(services, objects=Signing(services.objects))
    async with SessionManager(signing) as other:
        ada = as_person("ada", of=voice_app(other, authenticator=keys))
        answer = await ada.get(f"{url}/audio", follow_redirects=False)
        assert answer.status_code == 307
        assert answer.headers["location"].startswith(
            f"https://bucket.example/{url[4:]}/audio.wav?for=300"
        )
        stayed = await ada.get(f"{url}/audio", params={"redirect": "false"})
        assert stayed.status_code == 200


@pytest.mark.parametrize(
    ("form", "media_type", "beginning"),
    [
        ("txt", "text/plain; charset=utf-8", "user:"),
        ("srt", "application/x-subrip; charset=utf-8", "1\n00:00:00,000"),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT"),
    ],
)
async def test_the_words_can_be_had_as_text_and_captions(
    ada: httpx2.AsyncClient, url: str, form: str, media_type: str, beginning: str
) -> None:
    answer = await ada.get(f"{url}/transcript", params={"format": form})
    assert answer.headers["content-type"] == media_type
    assert answer.text.lower().startswith(beginning.lower())
    assert "treasure" in answer.text


async def test_the_words_as_a_document(ada: httpx2.AsyncClient, url: str) -> None:
    document = (await ada.get(f"{url}/transcript")).json()
    assert document["text"] == "the treasure lies under the oak"
    assert document["duration"] == 1.0
    assert document["utterances"][0]["id"] == "utt_1"
    unknown = await ada.get(f"{url}/transcript", params={"format": "pdf"})
    assert unknown.status_code == 400


async def test_a_client_that_goes_away_in_between_leaves_no_reader_behind(
    app: ASGIApp, url: str, serving: Serving
) -> None:
    async with serving(app) as server, httpx2.AsyncClient(headers={"x-api-key": "ada"}) as client:
        for _ in range(3):
            async with client.stream("GET", f"{server}{url}/audio") as answer:
                async for _piece in answer.aiter_bytes():
                    break
        assert (await client.head(f"{server}{url}/audio")).headers["content-length"] == "32044"


async def test_an_unused_generator_is_closed_for_a_head_request(
    app: ASGIApp, ada: httpx2.AsyncClient, url: str
) -> None:
    answer = await ada.head(f"{url}/audio")
    assert answer.status_code == 200
    assert answer.content == b""
