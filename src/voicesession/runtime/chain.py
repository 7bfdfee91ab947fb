"""
Engines for one job, the best first, and whether each of them is worth asking.

A chain belongs to nobody's session: it is made once and shared, as its engines are, so that
what one session finds out about an engine all of them know. Each engine has its circuit
breaker (`voicesession.core.breaker`); one that keeps failing is not asked for a while, and
is tried again, carefully, after that.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from ..core.breaker import Breaker, BreakerPolicy, BreakerState, Outcome, admit, record
from ..core.errors import InvalidConfig
from ..ports.agent import HoldsConnections
from ..ports.prices import engine_model
from ..ports.speech import DeclaresLimits, EngineLimits

__all__ = ("Chain", "Link")


class Engine(Protocol):
    """Whatever does a job in a pipeline."""

    @property
    def name(self) -> str: ...


E_co = TypeVar("E_co", bound=Engine, covariant=True)


class Link(Generic[E_co]):
    """One engine of a chain, and how it has been doing. All of one event loop.

    Attributes:
        limits: What the engine takes; it is asked once.
        priced_as: What the engine is priced as; it is asked once.
    """

    def __init__(self, engine: E_co, policy: BreakerPolicy) -> None:
        self.engine = engine
        self.limits = _limits_of(engine)
        self.priced_as = engine_model(engine)
        self._breaker = Breaker(policy=policy)
        self._ailing_until_us: int | None = None

    @property
    def name(self) -> str:
        """What the engine calls itself."""
        return self.engine.name

    def admits(self, now_us: int) -> bool:
        """Ask for leave to call the engine; who gets it says how it went."""
        self._breaker, admitted = admit(self._breaker, now_us)
        return admitted

    def has_recovered(self, now_us: int) -> bool:
        """Whether the last failure is so long ago that work may be given back to the engine."""
        return self._ailing_until_us is None or self._ailing_until_us <= now_us

    def succeeded(self, now_us: int) -> None:
        """Take that a call went well."""
        self._breaker = record(self._breaker, Outcome.SUCCESS, now_us)

    def failed(self, now_us: int) -> bool:
        """Take that a call failed; return whether the engine is not asked any more for now."""
        self._ailing_until_us = now_us + self._breaker.policy.open_us
        was_open = self._breaker.state is BreakerState.OPEN
        self._breaker = record(self._breaker, Outcome.FAILURE, now_us)
        return self._breaker.state is BreakerState.OPEN and not was_open


class Chain(Generic[E_co]):
    """A primary engine and its backups; with one engine, just that and its breaker.

        stt = Chain(deepgram, pocketsphinx)

    Args:
        engines: The best first. They belong to the host.
        breaker: When to stop asking an engine, and for how long.

    Raises:
        InvalidConfig: There is no engine.
    """

    def __init__(self, *engines: E_co, breaker: BreakerPolicy | None = None) -> None:
        if not engines:
            raise InvalidConfig("engines", engines, "one or more")
        policy = breaker or BreakerPolicy()
        self.links = tuple(Link(engine, policy) for engine in engines)

    @property
    def name(self) -> str:
        """The primary's."""
        return self.links[0].name

    async def aclose(self) -> None:
        """Close every engine that can be closed, the last first."""
        for link in reversed(self.links):
            if isinstance(link.engine, HoldsConnections):
                await link.engine.aclose()


def _limits_of(engine: object) -> EngineLimits:
    return engine.limits if isinstance(engine, DeclaresLimits) else EngineLimits()
