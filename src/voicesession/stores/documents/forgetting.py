"""Sessions that the medium forgets by itself, some time after they have ended."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from ...core.errors import InvalidValue, StoreError
from ...core.identity import SessionId
from ...ports.documents import MAX_BATCH, DocumentKey, ForgetfulDriver
from ...ports.scope import EVERYTHING
from . import layout
from .bulk import everything_in
from .heads import Head, Heads

__all__ = ("Forgetting",)

# Nobody is to find a session whose words are gone already.
_LONGER: Final = timedelta(minutes=1)


class Forgetting:
    """Lets sessions be forgotten so long after the last write that finds them ended.

    Raises:
        InvalidValue: *after* is no time at all.
    """

    def __init__(self, driver: ForgetfulDriver, after: timedelta) -> None:
        if after <= timedelta():
            raise InvalidValue("ttl_after_end", after, "longer than nothing")
        self._driver = driver
        self._heads = Heads(driver)
        self._after = after

    async def arrange(self, session_id: SessionId) -> None:
        """Let an ended session be forgotten in time, or stay where a legal hold says so.

        What was written stands, so trouble is not told: the session's next write, or the end
        of its retention, makes up for it.
        """
        with suppress(StoreError):
            head = await self._heads.of(session_id, EVERYTHING)
            if head.body["legal_hold"]:
                await self._keep(head)
            else:
                await self._forget(await self._under(head), self._after + _LONGER)
                await self._forget([head.key], self._after)

    async def prevent(self, session_id: SessionId) -> None:
        """Let a session stay, whatever was arranged.

        Raises:
            StoreUnavailable: It may still be forgotten.
        """
        await self._keep(await self._heads.of(session_id, EVERYTHING))

    async def _keep(self, head: Head) -> None:
        await self._forget([head.key, *await self._under(head)], None)

    async def _under(self, head: Head) -> list[DocumentKey]:
        tasks = await everything_in(self._driver, layout.TASKS, {"under": head.root})
        words = await everything_in(self._driver, layout.WORDS, {"under": head.words})
        room_name = head.body["room_name"]
        return [
            *(layout.entry_key(head.root, seq) for seq in range(1, head.seq + 1)),
            *(layout.text_key(head.root, number) for number in range(head.pieces)),
            *(document.key for document in (*tasks, *words)),
            *([] if room_name is None else [layout.room_key(room_name)]),
        ]

    async def _forget(self, keys: Sequence[DocumentKey], after: timedelta | None) -> None:
        for start in range(0, len(keys), MAX_BATCH):
            await self._driver.forget(keys[start : start + MAX_BATCH], after=after)
