"""A recording is under its name when it is whole, and not before."""

from __future__ import annotations

import wave
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from tests.client.stage import House, open_house
from tests.servers.proxy import Fault, FaultyProxy, Harm, Way, running_proxy

from voicesession.client import NotFound, Unreachable, VoiceClient
from voicesession.core.backoff import Backoff
from voicesession.testing.effort import examples

ASKED = rb"GET /v1/sessions/[^ ]+/audio"


@pytest.fixture
async def line(house: House) -> AsyncGenerator[tuple[FaultyProxy, VoiceClient]]:
    """A client whose line can be harmed."""
    async with running_proxy(house.port) as proxy, house.client(url=proxy.url) as client:
        yield proxy, client


def files(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


async def recording(house: House, session_id: str) -> bytes:
    """Return what the server has, fetched by other means."""
    url = f"{house.url}/v1/sessions/{session_id}/audio"
    async with httpx2.AsyncClient(headers={"x-api-key": "ada"}) as client:
        return (await client.get(url)).content


async def test_a_recording_is_written_and_its_growth_is_told(
    house: House, ada: VoiceClient, tmp_path: Path
) -> None:
    session_id = await house.finished_session()
    told: list[tuple[int, int]] = []
    path = await ada.download_audio(
        session_id, tmp_path / "call.wav", progress=lambda *now: told.append(now)
    )
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, 16_000)
    assert path.read_bytes() == await recording(house, session_id)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    assert told == sorted(told)
    assert files(tmp_path) == {"call.wav", "recordings"}


async def test_a_newer_recording_takes_the_place_of_an_older_file(
    house: House, ada: VoiceClient, tmp_path: Path
) -> None:
    path = tmp_path / "call.wav"
    path.write_text("older")
    await ada.download_audio(await house.finished_session(), path)
    assert path.read_bytes().startswith(b"RIFF")


@settings(
    max_examples=examples(8),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(cuts=st.lists(st.integers(0, 34_000), max_size=3))
async def test_wherever_the_line_is_cut_the_file_is_whole_in_the_end(
    house: House,
    line: tuple[FaultyProxy, VoiceClient],
    tmp_path: Path,
    cuts: list[int],
) -> None:
    proxy, client = line
    session_id = await house.finished_session()
    proxy.harm(*(_cut(at_byte) for at_byte in cuts))
    path = await client.download_audio(session_id, tmp_path / "call.wav")
    proxy.harm()
    assert path.read_bytes() == await recording(house, session_id)


async def test_a_cancelled_download_leaves_nothing_under_the_name_and_the_next_goes_on(
    house: House, line: tuple[FaultyProxy, VoiceClient], tmp_path: Path
) -> None:
    proxy, client = line
    session_id = await house.finished_session()
    path = tmp_path / "call.wav"
    stalled = Fault(harm=Harm.STALL, way=Way.TO_CLIENT, at_byte=20_000, once_seen=ASKED)
    proxy.harm(stalled)
    with anyio.CancelScope() as scope:
        await client.download_audio(session_id, path, progress=lambda *_: scope.cancel())
    assert scope.cancelled_caught
    assert not path.exists()
    part = tmp_path / f".call.wav.{session_id}.part"
    there = part.stat().st_size
    assert there > 0
    proxy.harm()
    first: list[int] = []
    await client.download_audio(session_id, path, progress=lambda now, _: first.append(now))
    assert first[0] > there - 1
    assert path.read_bytes() == await recording(house, session_id)
    assert not part.exists()


@pytest.mark.parametrize("size", [1, 1_000, 1_000_000])
async def test_a_part_of_something_else_does_not_get_into_the_file(
    house: House, ada: VoiceClient, tmp_path: Path, size: int
) -> None:
    session_id, other = await house.finished_session(), await house.finished_session()
    (tmp_path / f".call.wav.{other}.part").write_bytes(b"?" * size)
    path = await ada.download_audio(session_id, tmp_path / "call.wav")
    assert path.read_bytes() == await recording(house, session_id)
    longer = tmp_path / f".call.wav.{session_id}.part"
    longer.write_bytes(b"?" * 1_000_000)
    await ada.download_audio(session_id, path)
    assert path.read_bytes() == await recording(house, session_id)


async def test_where_there_is_no_recording_there_is_no_file(
    house: House, ada: VoiceClient, tmp_path: Path
) -> None:
    session_id = await house.finished_session(store_audio=False)
    with pytest.raises(NotFound):
        await ada.download_audio(session_id, tmp_path / "call.wav")
    assert files(tmp_path) <= {"recordings"}


async def test_a_folder_that_is_not_there_is_the_callers_error(
    house: House, ada: VoiceClient, tmp_path: Path
) -> None:
    session_id = await house.finished_session()
    with pytest.raises(FileNotFoundError):
        await ada.download_audio(session_id, tmp_path / "no" / "call.wav")


async def test_a_line_that_is_always_cut_is_given_up(house: House, tmp_path: Path) -> None:
    session_id = await house.finished_session()
    async with running_proxy(house.port) as proxy:
        proxy.harm(_cut(0), forever=True)
        once = Backoff(retries=1, first_us=1_000, longest_us=1_000)
        async with VoiceClient(proxy.url, api_key="ada", backoff=once) as client:
            with pytest.raises(Unreachable):
                await client.download_audio(session_id, tmp_path / "call.wav")
    assert not (tmp_path / "call.wav").exists()


async def test_another_server_that_has_the_file_is_not_told_who_we_are(tmp_path: Path) -> None:
    told: list[dict[str, str]] = []
    wav = b"RIFF" + bytes(range(256)) * 40

    async def elsewhere(request: Request) -> Response:
        told.append(dict(request.headers))
        start = int(request.headers["range"].removeprefix("bytes=").rstrip("-"))
        where = {"content-range": f"bytes {start}-{len(wav) - 1}/{len(wav)}"}
        return Response(wav[start:], 206, where, "audio/wav")

    async def audio(request: Request) -> Response:
        assert request.headers["x-api-key"] == "ada"
        return RedirectResponse(f"{request.base_url}bucket/call.wav?signature=1")

    routes = [Route("/v1/sessions/one/audio", audio), Route("/bucket/call.wav", elsewhere)]
    async with open_house(tmp_path, routes=routes) as house, house.client() as ada:
        path = await ada.download_audio("one", tmp_path / "call.wav")
    assert path.read_bytes() == wav
    assert not {"x-api-key", "authorization"} & {name for one in told for name in one}


def _cut(at_byte: int) -> Fault:
    return Fault(harm=Harm.CUT, way=Way.TO_CLIENT, at_byte=at_byte, once_seen=ASKED)
