"""What a recording could not keep: told by two threads, bounded, for reports."""

from __future__ import annotations

from errno import EDQUOT, EFBIG, ENOSPC
from threading import Lock
from typing import Final

from attrs import evolve

from ..core.timeline import Span, Track, merged
from ..ports.recording import Gap, ProblemKind, RecordingProblem

__all__ = ("Losses", "kind_of")

_MAX_GAPS: Final = 64
"""Of each track; more are joined with the last one."""


def kind_of(error: OSError) -> ProblemKind:
    """Return what *error* means for a recording."""
    is_full = error.errno in {ENOSPC, EDQUOT, EFBIG}
    return ProblemKind.DISK_FULL if is_full else ProblemKind.WRITE_FAILED


class Losses:
    """Counts what is lost: where, how much, and why. Any thread may call it."""

    def __init__(
        self, gaps: tuple[Gap, ...] = (), problems: tuple[RecordingProblem, ...] = ()
    ) -> None:
        self._lock = Lock()
        self._gaps = {track: [gap.span for gap in gaps if gap.track is track] for track in Track}
        self._problems = {problem.kind: problem for problem in problems}
        self.changes = 0
        """How often something was added."""

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is missing, in order of time."""
        with self._lock:
            found = [Gap(track, span) for track, spans in self._gaps.items() for span in spans]
        return tuple(sorted(found, key=lambda gap: gap.span))

    @property
    def problems(self) -> tuple[RecordingProblem, ...]:
        """What went wrong, one for each kind, in the order in which they appeared."""
        with self._lock:
            return tuple(self._problems.values())

    def add_gap(self, track: Track, span: Span) -> None:
        """Say that *span* of *track* is missing."""
        with self._lock:
            self._add_gap(track, span)

    def add(
        self, kind: ProblemKind, track: Track, span: Span, dropped_bytes: int, detail: str
    ) -> None:
        """Say that *span* of *track* is missing, and why."""
        with self._lock:
            self._add_gap(track, span)
            self._add_problem(kind, span, dropped_bytes, detail)

    def add_problem(self, kind: ProblemKind, span: Span, detail: str) -> None:
        """Say that something went wrong that has not cost any audio yet."""
        with self._lock:
            self._add_problem(kind, span, 0, detail)

    def adopt(self, gaps: tuple[Gap, ...], problems: tuple[RecordingProblem, ...]) -> None:
        """Say what somebody else knows to be lost; of one kind of problem ours holds."""
        with self._lock:
            for gap in gaps:
                self._add_gap(gap.track, gap.span)
            self._problems = {problem.kind: problem for problem in problems} | self._problems
            self.changes += 1

    def _add_gap(self, track: Track, span: Span) -> None:
        known = [range(one.from_us, one.to_us) for one in (*self._gaps[track], span)]
        stretches = list(merged(known))
        if len(stretches) > _MAX_GAPS:
            stretches[-2:] = [range(stretches[-2].start, stretches[-1].stop)]
        self._gaps[track] = [Span(one.start, one.stop) for one in stretches]
        self.changes += 1

    def _add_problem(self, kind: ProblemKind, span: Span, dropped_bytes: int, detail: str) -> None:
        known = self._problems.get(kind)
        if known is None:
            known = RecordingProblem(kind=kind, span=span, dropped_bytes=0, detail=detail)
        self._problems[kind] = evolve(
            known,
            span=known.span.joined(span),
            dropped_bytes=known.dropped_bytes + dropped_bytes,
            detail=detail,
        )
        self.changes += 1
