"""What a worker reports: its operations, what becomes of sessions, and what goes wrong."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
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

__all__ = ("Telemetry", "code_of", "seconds", "state_of")

_SCOPE: Final = "voicesession"
_US_PER_S: Final = 1_000_000


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

    @contextmanager
    def operation(
        self, name: str, clock: Clock, *, session_id: str | None = None
    ) -> Generator[Span]:
        """Time the block and trace it as ``session.<name>``; an error is counted and goes on.

        Neither what was asked nor what an error says is kept: only its code is.
        """
        since_us, outcome = clock.monotonic_us(), "cancelled"
        span = self.tracer.start_span(f"session.{name}")
        with _current(span):
            if session_id is not None:
                span.set_attribute("session_id", session_id)
            try:
                yield span
                outcome = "ok"
            except Exception as error:
                outcome = code_of(error)
                span.set_status(StatusCode.ERROR, outcome)
                self.failed(error, source="operation")
                raise
            finally:
                took_s = seconds(clock.monotonic_us() - since_us)
                labels = {"operation": name, "outcome": outcome}
                self.instruments.operation_latency.record(took_s, labels)

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


def _current(span: Span) -> AbstractContextManager[object]:
    """Have *span* be the parent of what the block begins, and ended with it."""
    if span is trace.INVALID_SPAN:  # nobody traces, and being current is most of a span's price
        return nullcontext()
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
