"""A real browser, whose microphone hears a file, and what goes over its line."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import anyio
from attrs import define, field
from playwright.async_api import Browser, Page, WebSocket, async_playwright, expect
from tests.patience import PATIENCE_S

_NAMES: Final = ("chromium-headless-shell", "chromium", "google-chrome")
"""Of the machine's own; where there is none, Playwright's is taken."""


@asynccontextmanager
async def running_chromium(microphone: Path) -> AsyncGenerator[Browser]:
    """Run a browser whose microphone hears the WAV file *microphone* over and over."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, _NAMES)), None),
            args=[
                "--use-fake-device-for-media-stream",
                "--use-fake-ui-for-media-stream",  # somebody who says yes
                f"--use-file-for-fake-audio-capture={microphone}",
            ],
        )
        async with browser:
            yield browser


Meant: TypeAlias = Callable[[dict[str, Any]], bool]
"""Whether a message is the one that is waited for."""


class Sound(Enum):
    """What a loudspeaker may be given."""

    VOICE = auto()
    SILENCE = auto()


@define(slots=False)  # Playwright leaves notes on whom it calls
class Frames:
    """What went one way, over all lines of a page, in order; audio is bytes."""

    all: list[dict[str, Any] | bytes] = field(factory=list)
    _more: anyio.Event = field(factory=anyio.Event)

    def add(self, frame: str | bytes) -> None:
        self.all.append(json.loads(frame) if isinstance(frame, str) else frame)
        self._more.set()
        self._more = anyio.Event()

    def of(self, kind: str, /) -> list[dict[str, Any]]:
        return [one for one in self.all if isinstance(one, dict) and one["type"] == kind]

    async def first(self, kind: str, is_meant: Meant = lambda _: True, /) -> dict[str, Any]:
        """Return the first message of *kind* that is meant, when it is there."""
        return await self._first(0, kind, is_meant)

    async def next(self, kind: str, is_meant: Meant = lambda _: True, /) -> dict[str, Any]:
        """Return the first message of *kind* that is meant, of those that are still to come."""
        return await self._first(len(self.of(kind)), kind, is_meant)

    async def _first(self, seen: int, kind: str, is_meant: Meant) -> dict[str, Any]:
        with anyio.move_on_after(PATIENCE_S):
            while True:
                for message in self.of(kind)[seen:]:
                    if is_meant(message):
                        return message
                    seen += 1
                await self._more.wait()
        raise AssertionError(f"no such {kind} in {self.all[-20:]}")


@define(slots=False)  # Playwright leaves notes on whom it calls
class Visit:
    """A page that somebody has open.

    Attributes:
        complaints: What the browser had to say about the page: errors, and breaches of its policy.
    """

    page: Page
    sent: Frames = field(factory=Frames)
    received: Frames = field(factory=Frames)
    complaints: list[str] = field(factory=list)

    @classmethod
    async def to(cls, url: str, page: Page) -> Self:
        visit = cls(page)
        page.on("websocket", visit._overhear)
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: visit.complaints.append(said.text) if said.type == "error" else None,
        )
        await page.add_init_script(_LISTEN)
        await page.goto(url)
        return visit

    def _overhear(self, line: WebSocket) -> None:
        line.on("framesent", self.sent.add)
        line.on("framereceived", self.received.add)

    async def show(self, state: str) -> None:
        """Return when this is what the page says of its call."""
        await expect(self.page.locator("#state")).to_have_text(state, timeout=PATIENCE_S * 1_000)

    async def hear(self, what: Sound) -> None:
        """Return when this is what the loudspeaker is given."""
        with anyio.fail_after(PATIENCE_S):
            await self.page.evaluate("hear", what is Sound.VOICE)


_LISTEN: Final = """
// A second ear at the loudspeaker.
const ears = [];
const { connect } = AudioNode.prototype;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to instanceof AudioDestinationNode) {
    const ear = new AnalyserNode(this.context);
    connect.call(this, ear);
    ears.push(ear);
  }
  return connect.call(this, to, ...rest);
};
const loudness = (ear) => {
  const samples = new Float32Array(ear.fftSize);
  ear.getFloatTimeDomainData(samples);
  return Math.max(...samples.map(Math.abs));
};
const isVoice = () => Math.max(...ears.map(loudness)) > 0.01;
window.hear = (voice) =>
  new Promise((heard) => {
    const listen = () => (isVoice() === voice ? heard() : setTimeout(listen, 5));
    listen();
  });
"""
