"""How a session that this worker owns comes to its end: once, and stored however often that fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve

from ..core.errors import InvalidState
from ..core.events import EndRequested, RecordingLinked
from ..core.states import EndReason, SessionState
from .ending import FILES_TAKE_AT_MOST, Ending
from .jobs import enhancement_of
from .services import Services

if TYPE_CHECKING:
    from .ownership import Ownership

__all__ = ("Finish",)

_End: TypeAlias = tuple[Ending, EndRequested, dict[str, Any]]
"""What was made of a session that ends, and what is to be stored of that."""


class Finish:
    """The last words, the files and the last commit of *owned*; one task at a time.

    Attributes:
        has_begun: Nothing else is to become of the session.
        is_done: It is stored, and nothing is owed any more.
    """

    __slots__ = ("_end", "_is_stored", "_owned", "_services", "has_begun", "is_done")

    def __init__(self, services: Services, owned: Ownership) -> None:
        self._services = services
        self._owned = owned
        self._end: _End | None = None
        self._is_stored = False
        self.has_begun = False
        self.is_done = False

    async def run(
        self, reason: EndReason, error: str | None, drain: Callable[[], Awaitable[None]] | None
    ) -> None:
        """End the session; where that fails, called again, go on where it failed.

        Args:
            drain: Awaited before all else, for the last words.

        Raises:
            LeaseLost: Somebody else owns the session.
            StoreError: The end could not be stored.
        """
        clock, session_id = self._services.clock, self._owned.session.id
        with self._services.telemetry.operation("finish", clock, session_id=session_id):
            if self._end is None:
                self._end = await self._made(reason, error, drain)
            ending, ended, changes = self._end
            if not self._is_stored:
                await self._store(evolve(ended, at=clock.now()), changes)
                self._is_stored = True
            await ending.forget_words()
            await self._owned.spending.settle(leave=True)
        self.is_done = True

    async def _made(
        self, reason: EndReason, error: str | None, drain: Callable[[], Awaitable[None]] | None
    ) -> _End:
        owned, now = self._owned, self._services.clock.now
        if owned.session.state is SessionState.ENDED:
            # Whoever ended it trusts us with the files for one lease; they may take longer.
            await owned.record.apply(deadline_at=now() + FILES_TAKE_AT_MOST)
        elif drain is not None:
            await drain()
        # With its seat, which no file need hold; but what an owner before us has left may only be
        # touched once it is stored that we were the last.
        await owned.spending.settle(leave=owned.epoch == 1)
        ending = await Ending.of(self._services, owned.session, owned.tape)
        changes = ending.changes | await owned.spending.view()
        changes |= enhancement_of(self._services, owned.session)
        problems = "; ".join(filter(None, [error, ending.error])) or None
        owned.running.transcript_partial = None
        return ending, EndRequested(at=now(), reason=reason, error=problems), changes

    async def _store(self, ended: EndRequested, changes: dict[str, Any]) -> None:
        record = self._owned.record
        try:
            await record.apply(ended, **changes)
        except InvalidState:
            # Somebody else ended it; all that is owed to it is where its results are.
            linked = RecordingLinked(at=ended.at, partial=changes.get("audio_partial", False))
            await record.apply(linked, error=ended.error, **changes)
