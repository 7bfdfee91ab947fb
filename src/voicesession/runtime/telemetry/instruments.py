"""
Every instrument there is. No id, no word and no text of a host is ever a label: each label
has the few values of an enumeration, of our error codes, or of the engines that were joined.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from attrs import frozen
from opentelemetry.metrics import Counter, Histogram, Meter, UpDownCounter

__all__ = ("INSTRUMENTS", "Instrument", "Instruments", "Kind")


class Kind(StrEnum):
    """How an instrument counts."""

    COUNTER = "counter"
    UP_DOWN_COUNTER = "up-down counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@frozen
class Instrument:
    """One instrument, as dashboards know it: renaming one breaks them.

    Attributes:
        unit: As UCUM writes it: ``s``, ``By``, ``1``, or a thing that is counted: ``{session}``.
        labels: The names of all labels that a measurement may carry.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    description: str


_STARTED: Final = Instrument(
    "session.started.total", Kind.COUNTER, "{session}", (), "sessions that went LIVE, once each"
)
_STOPPED: Final = Instrument(
    "session.stopped.total",
    Kind.COUNTER,
    "{session}",
    ("status", "end_reason"),
    "sessions that ended, once each, also those that were never LIVE",
)
_ACTIVE: Final = Instrument(
    "session.active", Kind.UP_DOWN_COUNTER, "{session}", (), "sessions that workers run now"
)
_TRANSITIONS: Final = Instrument(
    "session.transitions.total",
    Kind.COUNTER,
    "{transition}",
    ("from", "to"),
    "changes of state",
)
_DURATION: Final = Instrument(
    "session.duration",
    Kind.HISTOGRAM,
    "s",
    ("status", "end_reason"),
    "from first being LIVE to the end, pauses counted",
)
_OPERATION_LATENCY: Final = Instrument(
    "session.operation.latency",
    Kind.HISTOGRAM,
    "s",
    ("operation", "outcome"),
    "how long an operation took; its outcome is `ok`, `cancelled` or the code of an error",
)
_ERRORS: Final = Instrument(
    "session.errors.total",
    Kind.COUNTER,
    "{error}",
    ("code", "source", "provider"),
    "errors by code; the provider where an engine failed",
)
_RESPONSE_LATENCY: Final = Instrument(
    "session.response.latency",
    Kind.HISTOGRAM,
    "s",
    (),
    "what the user perceives: from falling silent to the first audio of the answer",
)
_TURNS: Final = Instrument(
    "session.turns.total",
    Kind.COUNTER,
    "{turn}",
    ("outcome",),
    "turns of users, by what became of them",
)
_ENGINE_CHANGES: Final = Instrument(
    "session.engine.changes.total",
    Kind.COUNTER,
    "{change}",
    ("stage", "because", "provider"),
    "times that another engine, or another stream of it, took over",
)
_ENGINE_USED: Final = Instrument(
    "session.engine.used.total",
    Kind.COUNTER,
    "{unit}",
    ("meter", "provider", "wasted"),
    "what engines have used besides audio, in units of its meter: tokens, characters",
)
_BUDGET_USED: Final = Instrument(
    "session.budget.used", Kind.COUNTER, "s", (), "audio that sessions have spent"
)
_BUDGET_LEVELS: Final = Instrument(
    "session.budget.levels.total",
    Kind.COUNTER,
    "{level}",
    ("meter", "scope", "level"),
    "limits that came to a higher level: warned, or exhausted",
)
_RECORDING_LAG: Final = Instrument(
    "session.recording.lag",
    Kind.GAUGE,
    "s",
    (),
    "audio that only this disk has, of the recording that lags most",
)
_RECORDING_UNSHIPPED: Final = Instrument(
    "session.recording.unshipped",
    Kind.GAUGE,
    "By",
    (),
    "what would be lost with this machine, over all recordings",
)
_RECORDING_PROBLEMS: Final = Instrument(
    "session.recording.problems.total",
    Kind.COUNTER,
    "{problem}",
    ("kind",),
    "reasons for which something is missing from a recording",
)
_ORPHANS: Final = Instrument(
    "session.orphans.swept.total",
    Kind.COUNTER,
    "{session}",
    ("state",),
    "sessions taken over from workers that are gone, by the state in which they were left",
)

INSTRUMENTS: Final = (
    _STARTED,
    _STOPPED,
    _ACTIVE,
    _TRANSITIONS,
    _DURATION,
    _OPERATION_LATENCY,
    _ERRORS,
    _RESPONSE_LATENCY,
    _TURNS,
    _ENGINE_CHANGES,
    _ENGINE_USED,
    _BUDGET_USED,
    _BUDGET_LEVELS,
    _RECORDING_LAG,
    _RECORDING_UNSHIPPED,
    _RECORDING_PROBLEMS,
    _ORPHANS,
)

# From a frame to a minute, which is what operations and answers take.
_LATENCIES_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60)
# From a wrong number to a day.
_DURATIONS_S: Final = (1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 86_400)


class Instruments:
    """All of them, made by one meter."""

    def __init__(self, meter: Meter) -> None:
        def counter(of: Instrument) -> Counter:
            return meter.create_counter(of.name, of.unit, of.description)

        def histogram(of: Instrument, bounds: tuple[float, ...]) -> Histogram:
            return meter.create_histogram(
                of.name, of.unit, of.description, explicit_bucket_boundaries_advisory=bounds
            )

        self.started = counter(_STARTED)
        self.stopped = counter(_STOPPED)
        self.active: UpDownCounter = meter.create_up_down_counter(
            _ACTIVE.name, _ACTIVE.unit, _ACTIVE.description
        )
        self.transitions = counter(_TRANSITIONS)
        self.duration = histogram(_DURATION, _DURATIONS_S)
        self.operation_latency = histogram(_OPERATION_LATENCY, _LATENCIES_S)
        self.errors = counter(_ERRORS)
        self.response_latency = histogram(_RESPONSE_LATENCY, _LATENCIES_S)
        self.turns = counter(_TURNS)
        self.engine_changes = counter(_ENGINE_CHANGES)
        self.engine_used = counter(_ENGINE_USED)
        self.budget_used = counter(_BUDGET_USED)
        self.budget_levels = counter(_BUDGET_LEVELS)
        self.recording_lag = meter.create_gauge(
            _RECORDING_LAG.name, _RECORDING_LAG.unit, _RECORDING_LAG.description
        )
        self.recording_unshipped = meter.create_gauge(
            _RECORDING_UNSHIPPED.name, _RECORDING_UNSHIPPED.unit, _RECORDING_UNSHIPPED.description
        )
        self.recording_problems = counter(_RECORDING_PROBLEMS)
        self.orphans = counter(_ORPHANS)
