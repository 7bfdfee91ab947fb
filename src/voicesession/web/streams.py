"""
Server-sent events: how they are written, and how many listen.

The format is https://html.spec.whatwg.org/multipage/server-sent-events.html. A line that begins
with a colon is a comment: it keeps the connection open through proxies.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from ..schemas.refusals import RateLimited

__all__ = ("EVENT_STREAM", "HEARTBEAT", "Streams", "event_bytes")

EVENT_STREAM: Final = "text/event-stream"
HEARTBEAT: Final = b": still here\n\n"

_RETRY_AFTER_S: Final = 10


class Streams:
    """Counts the streams that are open, for each caller and all together.

    Args:
        most: How many may be.
        most_each: How many of one caller, so that nobody takes them all.
    """

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._open: Counter[str] = Counter()

    def check(self, caller: str) -> None:
        """Do nothing, if *caller* may open one more.

        Raises:
            RateLimited: There are too many.
        """
        if self._open.total() >= self._most or self._open[caller] >= self._most_each:
            raise RateLimited(_RETRY_AFTER_S)

    @contextmanager
    def one_more(self, caller: str) -> Generator[None]:
        """Count one for the length of the block."""
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]


def event_bytes(name: str, data: Any, *, event_id: int | None = None) -> bytes:
    """Return an event as it is sent.

    Args:
        data: Anything that JSON knows.
        event_id: What the client says when it comes back.
    """
    lines = [f"event: {name}", f"data: {json.dumps(data, separators=(',', ':'))}"]
    if event_id is not None:
        lines.insert(0, f"id: {event_id}")
    return ("\n".join(lines) + "\n\n").encode()
