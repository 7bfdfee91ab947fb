"""What a worker reports: its operations, what becomes of sessions, and what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType, TracebackType
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, StatusCode, TracerProvider

from ...core.errors import ProviderError, VoiceSessionError
from ...core.instants import duration_us
from ...core.session import Session
from ...core.states import SessionState
from ...ports.clock import Clock
from ...ports.recording import Backlog
from .instruments import Instruments

__all__ = ("Operation", "Telemetry", "code_of", "seconds", "state_of")

_SCOPE: Final = "voicesession"
_US_PER_S: Final = 1_000_000
_NOTHING: Final = nullcontext()
_NOTHING_ELSE: Final[Mapping[str, str]] = MappingProxyType({})


class Telemetry:
    """The instruments and the tracer that everything of a worker shares.

    Args:
        meter_provider: None for the global one, which keeps nothing until a host sets one;
            it may be set at any time.
        tracer_provider: The same, for spans.
    """

    def __init__(
        self,
        *,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        self.instruments = Instruments(metrics.get_meter(_SCOPE, meter_provider=meter_provider))
        self.tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)

    def operation(
        self,
        name: str,
        clock: Clock,
        *,
        session_id: str | None = None,
        also: Mapping[str, str] = _NOTHING_ELSE,
    ) -> Operation:
        """Return a block that is timed and traced as ``session.<name>``.

        Args:
            session_id: What it is about, if that is one session.
            also: What else its span tells.
        """
        about = also if session_id is None else {"session_id": session_id, **also}
        return Operation(self, name, clock, about)

    def changed(self, before: Session, after: Session) -> None:
        """Count what *before* becoming *after* says about the session's life."""
        if after.state is not before.state:
            self.instruments.transitions.add(1, {"from": before.state, "to": after.state})
        if before.live_at is None is not after.live_at:
            self.instruments.started.add(1)
        if after.state is SessionState.ENDED is not before.state:
            self.stopped(after)

    def stopped(self, session: Session) -> None:
        """Count that *session* has ended."""
        labels = {"status": str(session.status), "end_reason": str(session.end_reason)}
        self.instruments.stopped.add(1, labels)
        if session.live_at is not None and session.ended_at is not None:
            lasted_us = duration_us(session.ended_at - session.live_at)
            self.instruments.duration.record(seconds(lasted_us), labels)

    def swept(self, session: Session) -> None:
        """Count that *session* was taken over from a worker that is gone."""
        self.instruments.orphans.add(1, {"state": session.state})

    def failed(self, error: Exception, *, source: str) -> None:
        """Count *error*, by its code and by where it came from."""
        labels = {"code": code_of(error), "source": source}
        if isinstance(error, ProviderError):
            labels["provider"] = error.provider
        self.instruments.errors.add(1, labels)

    def recorded(self, backlog: Backlog) -> None:
        """Take how far the recordings are from being safe."""
        self.instruments.recording_lag.set(seconds(backlog.lag_us))
        self.instruments.recording_unshipped.set(backlog.unshipped_bytes)


class Operation:
    """A block that is timed, and traced under its name; what comes is its span.

    An error is counted and goes on. Neither what was asked nor what an error says is kept: only
    its code is.
    """

    __slots__ = ("_about", "_clock", "_current", "_name", "_since_us", "_span", "_telemetry")

    def __init__(
        self, telemetry: Telemetry, name: str, clock: Clock, about: Mapping[str, str]
    ) -> None:
        self._telemetry = telemetry
        self._name = name
        self._clock = clock
        self._about = about

    def __enter__(self) -> Span:
        self._since_us = self._clock.monotonic_us()
        self._span = span = self._telemetry.tracer.start_span(f"session.{self._name}")
        self._current = _current(span)
        self._current.__enter__()
        span.set_attributes(self._about)
        return span

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        outcome = "ok" if exc is None else "cancelled"
        if isinstance(exc, Exception):
            outcome = code_of(exc)
            self._span.set_status(StatusCode.ERROR, outcome)
            self._telemetry.failed(exc, source="operation")
        took_s = seconds(self._clock.monotonic_us() - self._since_us)
        labels = {"operation": self._name, "outcome": outcome}
        self._telemetry.instruments.operation_latency.record(took_s, labels)
        self._current.__exit__(exc_type, exc, traceback)


def _current(span: Span) -> AbstractContextManager[object]:
    """Have *span* be the parent of what the block begins, and ended with it."""
    if span is trace.INVALID_SPAN:  # nobody traces, and being current is most of a span's price
        return _NOTHING
    return trace.use_span(
        span, end_on_exit=True, record_exception=False, set_status_on_exception=False
    )


def code_of(error: Exception) -> str:
    """Return the code by which *error* is counted."""
    return (error if isinstance(error, VoiceSessionError) else VoiceSessionError).code


def state_of(session: Session) -> dict[str, str]:
    """Return how a span names *session*."""
    return {"session_id": session.id, "state": session.state}


def seconds(duration_us: int) -> float:
    """Return a duration as OpenTelemetry wants it."""
    return duration_us / _US_PER_S
