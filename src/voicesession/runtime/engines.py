"""
The engines of one stage in one session, and how they are asked.

Whatever an engine does wrong is dealt with here, the same for all stages. Each round asks
every engine of the chain whose circuit lets it, the best first, so a backup is asked at
once; between rounds there is a wait, which doubles and is left to chance in part. An error that
will not pass by itself (``retryable`` is false) is not asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from itertools import takewhile
from typing import Generic, TypeVar

from attrs import field, frozen

from ..core.backoff import Backoff
from ..core.errors import (
    InvalidValue,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
    VoiceSessionError,
)
from ..core.meters import Meter
from ..ports.clock import Clock
from .alarms import Alarms
from .busy import Busy
from .chain import Chain, Engine, Link
from .happenings import (
    ChangeReason,
    EngineBarred,
    EngineChanged,
    EngineFailed,
    EngineSlow,
    EngineUsed,
    Stage,
)
from .patience import Patience

__all__ = ("Attempts", "Engines", "Terms", "as_provider_error")

E = TypeVar("E", bound=Engine)


@frozen(kw_only=True)
class Terms:
    """On what terms the engines of a session work.

    Attributes:
        alarms: Those of the worker; they tell when an engine has taken too long.
        draw: Draws a number evenly from 0 up to 1.
        tell: Told of what goes wrong, and what is done about it.
        lag_us: Who keeps us waiting for longer is slow.
    """

    clock: Clock
    alarms: Alarms
    tell: Callable[[object], None]
    draw: Callable[[], float]
    backoff: Backoff = field(factory=Backoff)
    lag_us: int


class Engines(Generic[E]):
    """A chain at work in one session.

    Args:
        limit_us: How long each may keep us waiting.
    """

    __slots__ = ("_at_work", "_limit_us", "chain", "stage", "terms")

    def __init__(self, stage: Stage, chain: Chain[E], terms: Terms, *, limit_us: int) -> None:
        self.stage = stage
        self.chain = chain
        self.terms = terms
        self._limit_us = limit_us
        self._at_work: Link[E] = chain.links[0]

    @property
    def now_us(self) -> int:
        """The time on the session's clock."""
        return self.terms.clock.monotonic_us()

    def attempts(self, busy: Busy | None = None) -> Attempts[E]:
        """Return whom to ask for one piece of work, in order; *busy* counts it."""
        return Attempts(self, busy)

    def patience(self, link: Link[E]) -> Patience:
        """Return a block in which *link* may keep us waiting only so long."""
        return Patience(self.terms.alarms, link.name, self._limit_us)

    def better_than(self, link: Link[E]) -> Link[E] | None:
        """Return an engine that comes before *link* and works again, as far as one can know."""
        links = self.chain.links
        if link is links[0]:
            return None
        now_us = self.now_us
        for better in takewhile(lambda other: other is not link, links):
            if better.has_recovered(now_us) and better.admits(now_us):
                return better
        return None

    def took_over(self, link: Link[E]) -> None:
        """Take that *link* does the work from now on; say so if it was another before."""
        before, self._at_work = self._at_work, link
        if before is not link:
            links = self.chain.links
            is_better = links.index(link) < links.index(before)
            self._tell_change(
                before, link, ChangeReason.RECOVERY if is_better else ChangeReason.FAILURE
            )

    def rolled_over(self) -> None:
        """Take that the engine at work goes on with another stream; say so."""
        self._tell_change(self._at_work, self._at_work, ChangeReason.ROLLOVER)

    def succeeded(self, link: Link[E]) -> None:
        """Take that *link* has done what it was asked for."""
        link.succeeded(self.now_us)

    def failed(self, link: Link[E], error: ProviderError) -> None:
        """Take that *link* has failed, and say so."""
        self.terms.tell(EngineFailed(self.stage, error))
        if link.failed(self.now_us):
            self.terms.tell(EngineBarred(self.stage, link.name))

    def used(self, link: Link[E], used: Mapping[Meter, int], *, wasted: bool = False) -> None:
        """Take that *link* has used what its vendor bills, and say so."""
        self.terms.tell(
            EngineUsed(stage=self.stage, engine=link.priced_as, used=used, wasted=wasted)
        )

    def waited(self, link: Link[E], lag_us: int) -> bool:
        """Say that *link* is slow, if it has kept us waiting for so long; return whether it is."""
        is_slow = lag_us >= self.terms.lag_us
        if is_slow:
            self.terms.tell(EngineSlow(stage=self.stage, engine=link.name, lag_us=lag_us))
        return is_slow

    async def rest(self) -> None:
        """Wait for as long as the backoff ever does, because nobody could be had."""
        await self.terms.clock.sleep_until(self.now_us + self.terms.backoff.longest_us)

    def _tell_change(self, before: Link[E], after: Link[E], because: ChangeReason) -> None:
        self.terms.tell(
            EngineChanged(
                stage=self.stage,
                before=before.name,
                after=after.name,
                because=because,
                model=after.priced_as.model,
            )
        )


class Attempts(Generic[E]):
    """One piece of work, and whom to ask for it next.

    Args:
        busy: Not counted while we wait for the next round.
    """

    __slots__ = ("_busy", "_busy_until_us", "_engines", "_error", "_left", "_rounds", "_useless")

    def __init__(self, engines: Engines[E], busy: Busy | None) -> None:
        self._engines = engines
        self._busy = busy
        self._left = list(engines.chain.links)
        self._useless: frozenset[Link[E]] = frozenset()
        self._busy_until_us: dict[Link[E], int] = {}
        self._rounds = 0
        self._error: VoiceSessionError | None = None

    async def next(self) -> Link[E]:
        """Return whom to ask, after the wait for a new round where all have been asked.

        Raises:
            ProviderError: Nobody is left to ask; this is what the last one said.
            InvalidValue: The same, where none can take the format or the language.
        """
        while True:
            while self._left:
                link = self._left.pop(0)
                if link not in self._useless and self._admits(link):
                    return link
            await self._wait(self._delay_us())
            self._rounds += 1
            self._left.extend(self._engines.chain.links)

    def first(self, link: Link[E]) -> None:
        """Ask *link* before all others in this round: it is at work already."""
        self._left.remove(link)
        self._left.insert(0, link)

    def failed(self, link: Link[E], error: Exception) -> None:
        """Take that *link*, which was asked, has failed."""
        if isinstance(error, InvalidValue):
            # Nothing is wrong with the engine: this session is not for it.
            self._useless |= {link}
            self._error = error
            return
        self._error = failure = as_provider_error(link.name, error)
        if not failure.retryable:
            self._useless |= {link}
        if isinstance(failure, ProviderBusy) and failure.retry_after_us is not None:
            self._busy_until_us[link] = self._engines.now_us + failure.retry_after_us
        self._engines.failed(link, failure)

    def _admits(self, link: Link[E]) -> bool:
        now_us = self._engines.now_us
        return self._busy_until_us.get(link, now_us) <= now_us and link.admits(now_us)

    def _delay_us(self) -> int:
        """Return how long to wait for the next round; raise the last error if there is none."""
        backoff, now_us = self._engines.terms.backoff, self._engines.now_us
        useful = [link for link in self._engines.chain.links if link not in self._useless]
        if not useful or self._rounds == backoff.retries:
            raise self._error or self._barred()
        busy_us = min(self._busy_until_us.get(link, now_us) for link in useful) - now_us
        if busy_us > backoff.longest_us:
            raise self._error or self._barred()
        return max(busy_us, backoff.delay_us(self._rounds, self._engines.terms.draw()))

    def _barred(self) -> ProviderUnavailable:
        name = self._engines.chain.name
        return ProviderUnavailable(name, "it has failed too often, and is left alone for a while")

    async def _wait(self, delay_us: int) -> None:
        clock = self._engines.terms.clock
        with nullcontext() if self._busy is None else self._busy.resting():
            await clock.sleep_until(clock.monotonic_us() + delay_us)


def as_provider_error(engine: str, error: Exception) -> ProviderError:
    """Return *error* as one of *engine*: adapters and agents may be the host's own code."""
    if isinstance(error, ProviderError):
        return error
    failure = ProviderError(engine, f"{type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure
