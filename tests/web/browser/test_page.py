"""Two people at a browser talk to ``voicesession serve``: all of it is real but their voice."""

from __future__ import annotations

import asyncio
import io
import math
import re
import wave
from array import array
from collections.abc import AsyncGenerator, Generator
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from attrs import frozen
from playwright.async_api import Browser
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from tests.cli.served import Served, served
from tests.client.stage import open_house
from tests.patience import PATIENCE_S
from tests.servers.proxy import running_proxy
from tests.web.browser.chromium import Sound, Visit, running_chromium

from voicesession.cli.caller import ScriptLine, rehearsed
from voicesession.cli.engines import callers_voice
from voicesession.core.states import TurnState
from voicesession.web.browser import browser_routes

# A voice takes its time, and more of it on a machine that has much else to do.
pytestmark = [pytest.mark.offline, pytest.mark.timeout(240)]

DOCS: Final = Path(__file__).parents[3] / "docs" / "how-to" / "browser.md"
SAID: Final = "tell me a long story"
RATE_HZ: Final = 16_000
ROUND_STEPS: Final = 220
"""Of 20 ms, until it is said again: in the middle of the answer, which is interrupted by it."""


@frozen(kw_only=True)
class Call:
    """One that is over.

    Attributes:
        shown: What the page shows of it, line by line: who, and what.
        session: As the server keeps it, with its journal, its transcript and its recording.
    """

    visit: Visit
    shown: list[tuple[str, str]]
    session: dict[str, Any]
    journal: list[dict[str, Any]]
    transcript: list[dict[str, Any]]
    audio: bytes

    @property
    def told(self) -> list[int]:
        """The seq of each durable message that came, over whichever line, as it came."""
        messages = (one for one in self.visit.received.all if isinstance(one, dict))
        return [one["seq"] for one in messages if "seq" in one]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Playwright runs on asyncio."""
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Browser]:
    microphone = tmp_path_factory.mktemp("microphone") / "said.wav"
    caller = await rehearsed([ScriptLine(text=SAID)], callers_voice(), sample_rate=RATE_HZ)
    with wave.open(str(microphone), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        for _ in range(ROUND_STEPS):
            file.writeframes(caller.speak(TurnState.LISTENING) or b"")
    async with running_chromium(microphone) as browser:
        yield browser


@pytest.fixture(scope="module")
async def calls(server: Served, browser: Browser) -> tuple[Call, Call]:
    """A call that goes well, and one that is cut; at the same time, since a voice takes time."""
    return await asyncio.gather(_a_call(server, browser), _a_call_that_is_cut(server, browser))


@pytest.fixture(scope="module")
def call(calls: tuple[Call, Call]) -> Call:
    return calls[0]


@pytest.fixture(scope="module")
def cut_call(calls: tuple[Call, Call]) -> Call:
    return calls[1]


async def _a_call(server: Served, browser: Browser) -> Call:
    visit = await Visit.to(server.url, await browser.new_page())
    page = visit.page
    await page.click("#talk")
    await visit.hear(Sound.VOICE)
    await visit.received.next("reply.clear")
    await visit.hear(Sound.SILENCE)
    await visit.received.first("transcript.final", _is_of_the_caller)
    await visit.received.first("transcript.final", _was_interrupted)
    await page.click("#pause")
    await visit.show("paused: user")
    await page.click("text=Resume")
    await visit.received.next("vad.speech_start")
    await page.click("text=End")
    await visit.show("completed")
    return await _over(server, visit)


async def _a_call_that_is_cut(server: Served, browser: Browser) -> Call:
    async with running_proxy(server.port) as proxy:
        visit = await Visit.to(proxy.url, await browser.new_page())
        await visit.page.click("#talk")
        await visit.hear(Sound.VOICE)
        proxy.close()
        begin = await visit.received.next("session.begin")
        await visit.received.first("transcript.final", partial(_is_said_behind, begin["last_seq"]))
        proxy.close()
        await visit.page.click("text=End")
        await visit.show("completed")
        return await _over(server, visit)


def _is_of_the_caller(final: dict[str, Any]) -> bool:
    return bool(final["utterance"]["text"] == SAID)


def _is_said_behind(seq: int, final: dict[str, Any]) -> bool:
    return _is_of_the_caller(final) and bool(final["seq"] > seq)


def _was_interrupted(final: dict[str, Any]) -> bool:
    said = final["utterance"]
    return bool(said["speaker"] == "agent" and said["interrupted"] and said["text"])


async def _over(server: Served, visit: Visit) -> Call:
    lines = await visit.page.locator("#said li").all()
    shown = [
        (await line.get_attribute("class") or "", await line.text_content() or "") for line in lines
    ]
    await visit.page.close()
    session_id = visit.received.of("session.begin")[0]["session_id"]
    url = f"{server.url}/v1/sessions/{session_id}"
    async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
        return Call(
            visit=visit,
            shown=shown,
            session=(await client.get(url)).json()["session"],
            journal=(await client.get(f"{url}/events")).json()["events"],
            transcript=(await client.get(f"{url}/transcript")).json()["utterances"],
            audio=(await client.get(f"{url}/audio")).content,
        )


# --- a call ----------------------------------------------------------------------------------------


async def test_what_is_said_into_the_microphone_is_understood_and_kept(call: Call) -> None:
    said = next(one for one in call.transcript if one["text"] == SAID)
    caller, agent = _tracks(call.audio)
    within = slice(int(said["start"] * RATE_HZ), int(said["end"] * RATE_HZ))
    behind = slice(within.stop + RATE_HZ // 4, within.stop + RATE_HZ // 2)
    assert _rms(caller[within]) > 10 * _rms(caller[behind])
    assert _rms(caller[within]) > 10 * _rms(agent[within])


async def test_how_much_of_the_agent_was_played_is_told_again_and_again(call: Call) -> None:
    reports = call.visit.sent.of("playout")
    assert reports
    for reply_id, sent_ms in _sent_ms(call.visit).items():
        played = [one["played_ms"] for one in reports if one["reply_id"] == reply_id]
        assert played == sorted(set(played))
        assert max(played, default=0) <= sent_ms


async def test_who_is_interrupted_falls_silent_and_is_kept_as_far_as_heard(call: Call) -> None:
    said = next(one for one in call.transcript if one.get("interrupted") and one["text"])
    assert said["speaker"] == "agent"
    assert said["text"] == said["spoken_text"]
    assert said["generated_text"].startswith(said["spoken_text"])
    assert len(said["spoken_text"]) < len(said["generated_text"]) / 2


async def test_a_page_shows_what_is_stored(call: Call, cut_call: Call) -> None:
    for one in (call, cut_call):
        assert one.shown == [_line(said) for said in one.transcript if said["text"]]


async def test_a_call_stands_still_and_goes_on_by_a_click_and_ends_when_all_is_stored(
    call: Call,
) -> None:
    happened = [one["type"] for one in call.journal]
    assert happened.index("pause_requested") < happened.index("resume_requested")
    assert happened[-1] == "end_requested"
    assert call.visit.received.of("session.end")[0]["seq"] == call.session["seq"]
    assert (call.session["status"], call.session["end_reason"]) == ("completed", "completed")


# --- a call that is cut ------------------------------------------------------------------------------


async def test_after_a_cut_everything_durable_was_told_once_and_in_order(cut_call: Call) -> None:
    lost = [one for one in cut_call.journal if one["type"] == "transport_lost"]
    assert len(lost) == 2
    assert cut_call.told == [one["seq"] for one in cut_call.journal][1:]


async def test_a_caller_who_comes_back_is_understood_as_before(cut_call: Call) -> None:
    assert len(cut_call.visit.sent.of("attach")) == 2
    _, again, _ = cut_call.visit.received.of("session.begin")
    finals = cut_call.visit.received.of("transcript.final")
    assert any(_is_said_behind(again["last_seq"], one) for one in finals)


async def test_an_end_that_is_asked_for_on_a_broken_line_is_reached_over_the_next(
    cut_call: Call,
) -> None:
    *_, last = cut_call.visit.sent.of("attach")
    assert last["last_seq"] < cut_call.session["seq"]
    assert cut_call.session["end_reason"] == "completed"


# --- the page itself -------------------------------------------------------------------------------------


async def test_the_browser_has_nothing_to_complain_of(call: Call) -> None:
    assert call.visit.complaints == []


async def test_the_page_that_the_docs_show_talks(browser: Browser, tmp_path: Path) -> None:
    html = re.search(r"```html\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert html is not None

    async def page(_: Request) -> Response:
        return HTMLResponse(html[1])

    async def my_call(_: Request) -> Response:
        async with house.client("ada") as ada:
            session = await ada.create()
            ticket = await ada.ticket(session.id)
        return JSONResponse({"websocket_url": ticket.websocket_url})

    own = [Route("/", page), Route("/my-call", my_call, methods=["POST"])]
    async with open_house(tmp_path, routes=[*own, *browser_routes()]) as house:
        visit = await Visit.to(house.url, await browser.new_page())
        said = visit.page.expect_console_message(lambda one: "utterance_count" in one.text)
        async with said:
            await visit.page.click("#talk")
            await visit.received.next("session.begin")
            await visit.page.click("#talk")
        await visit.page.close()


@pytest.mark.parametrize("hindrance", ["refused", "closed meanwhile", "no such server"])
async def test_a_call_that_cannot_begin_leaves_no_microphone_open(
    hindrance: str, server: Served, browser: Browser
) -> None:
    visit = await Visit.to(server.url, await browser.new_page())
    tracks = await visit.page.evaluate(_HINDERED, hindrance)
    assert tracks == (["ended"] if hindrance != "refused" else [])
    await visit.page.close()


_HINDERED: Final = """async (hindrance) => {
  const { VoiceCall } = await import("/voicesession/voicesession.js");
  const url = hindrance === "no such server" ? "nowhere:" : "ws://localhost:1/";
  const call = new VoiceCall({ url });
  const tracks = [];
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (hindrance === "refused") throw new DOMException("no", "NotAllowedError");
    const stream = await ask(wanted);
    if (hindrance === "closed meanwhile") call.close();
    tracks.push(...stream.getTracks());
    return stream;
  };
  const began = await call.start().then(() => true, () => false);
  if (began) throw new Error("it began");
  return tracks.map(({ readyState }) => readyState);
}"""


# --- what is in a call ----------------------------------------------------------------------------------


def _line(said: dict[str, Any]) -> tuple[str, str]:
    how = " interrupted" if said.get("interrupted") else ""
    return said["speaker"] + how, said["text"]


def _tracks(wav: bytes) -> tuple[array[int], array[int]]:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, RATE_HZ)
        samples = array("h", file.readframes(file.getnframes()))
    return samples[::2], samples[1::2]


def _rms(samples: array[int]) -> float:
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


def _sent_ms(visit: Visit) -> dict[int, int]:
    """How much of each reply the page was sent."""
    sent: dict[int, int] = {}
    reply_id = 0
    for frame in visit.received.all:
        if isinstance(frame, bytes):
            sent[reply_id] = sent.get(reply_id, 0) + 1_000 * len(frame) // (2 * RATE_HZ)
        elif frame["type"] == "reply.begin":
            reply_id = frame["reply_id"]
    return sent
