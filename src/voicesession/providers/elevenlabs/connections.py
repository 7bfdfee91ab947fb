"""Connections over which nobody speaks just now, kept for the next text."""

from __future__ import annotations

import asyncio
from typing import Final

from attrs import frozen

from ..websocket import WebSocketLink

__all__ = ("KEPT_S", "MOST_KEPT", "KeptConnections")

MOST_KEPT: Final = 16
KEPT_S: Final = 30.0
"""Some network on the way forgets connections that were silent for longer, and tells nobody."""


@frozen(eq=False)
class _Kept:
    link: WebSocketLink
    url: str
    loop: asyncio.AbstractEventLoop
    until: float


class KeptConnections:
    """The `MOST_KEPT` that were used last, each for `KEPT_S`. No task looks after them."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    def take(self, url: str) -> WebSocketLink | None:
        """Return one to *url* that was open a moment ago, the caller's from now on; or None."""
        self._forget()
        for kept in reversed(self._kept):
            if kept.url == url:
                self._kept.remove(kept)
                return kept.link
        return None

    def keep(self, url: str, link: WebSocketLink) -> None:
        """Keep *link*, on which nothing more is expected, for whoever speaks next."""
        loop = asyncio.get_running_loop()
        self._kept.append(_Kept(link, url, loop, loop.time() + KEPT_S))
        self._forget()

    async def aclose(self) -> None:
        """Close them all."""
        kept, self._kept = self._kept, []
        for each in kept:
            await each.link.aclose()

    def _forget(self) -> None:
        loop = asyncio.get_running_loop()
        still_good = [
            kept
            for kept in self._kept
            if kept.loop is loop and kept.link.is_open and loop.time() < kept.until
        ][-MOST_KEPT:]
        for kept in self._kept:
            if kept not in still_good and kept.loop is loop:  # another loop is over by now
                kept.link.hang_up()
        self._kept = still_good
