from __future__ import annotations

from errno import EFBIG, EIO, ENOSPC

import pytest
from hypothesis import given, settings, strategies as st

from voicesession.core.timeline import Span, Track
from voicesession.ports.recording import Gap, ProblemKind, RecordingProblem
from voicesession.recording.losses import Losses, kind_of
from voicesession.testing.effort import examples
from voicesession.testing.strategies_audio import spans

USER, AGENT = Track


@settings(max_examples=examples(40))
@given(st.lists(st.tuples(st.sampled_from(Track), spans(max_us=200)), max_size=30))
def test_gaps_cover_what_is_missing_and_nothing_else(missing: list[tuple[Track, Span]]) -> None:
    losses = Losses()
    for track, span in missing:
        losses.add_gap(track, span)
    for track in Track:
        expected = {at for one, span in missing if one is track for at in range(*bounds(span))}
        told = [at for gap in losses.gaps if gap.track is track for at in range(*bounds(gap.span))]
        assert sorted(expected) == told
    assert losses.changes == len(missing)


def bounds(span: Span) -> tuple[int, int]:
    return span.from_us, span.to_us


def test_gaps_are_bounded_and_the_last_ones_are_joined() -> None:
    losses = Losses()
    for n in range(1_000):
        losses.add_gap(USER, Span(10 * n, 10 * n + 1))
    assert len(losses.gaps) == 64
    assert losses.gaps[0] == Gap(USER, Span(0, 1))
    assert losses.gaps[-1] == Gap(USER, Span(630, 9_991))


def test_a_problem_adds_up_and_tells_its_last_detail() -> None:
    losses = Losses()
    losses.add(ProblemKind.DISK_FULL, USER, Span(20, 30), 100, "first")
    losses.add(ProblemKind.TOO_SLOW, AGENT, Span(5, 9), 7, "slow")
    losses.add(ProblemKind.DISK_FULL, AGENT, Span(40, 60), 50, "last")
    losses.add_problem(ProblemKind.WRITE_FAILED, Span(1, 2), "no audio lost")
    assert losses.problems == (
        RecordingProblem(
            kind=ProblemKind.DISK_FULL, span=Span(20, 60), dropped_bytes=150, detail="last"
        ),
        RecordingProblem(
            kind=ProblemKind.TOO_SLOW, span=Span(5, 9), dropped_bytes=7, detail="slow"
        ),
        RecordingProblem(
            kind=ProblemKind.WRITE_FAILED, span=Span(1, 2), dropped_bytes=0, detail="no audio lost"
        ),
    )
    assert losses.gaps == (
        *(Gap(AGENT, Span(5, 9)), Gap(USER, Span(20, 30)), Gap(AGENT, Span(40, 60))),
    )


def test_losses_go_on_from_what_was_noted() -> None:
    before = Losses()
    before.add(ProblemKind.DISK_FULL, USER, Span(20, 30), 100, "first")
    losses = Losses(before.gaps, before.problems)
    losses.add(ProblemKind.DISK_FULL, USER, Span(30, 40), 1, "second")
    assert losses.gaps == (Gap(USER, Span(20, 40)),)
    assert losses.problems[0].dropped_bytes == 101


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((ENOSPC, ProblemKind.DISK_FULL), (EFBIG, ProblemKind.DISK_FULL)),
        (EIO, ProblemKind.WRITE_FAILED),
    ],
)
def test_an_error_of_the_disk_has_a_kind(code: int, kind: ProblemKind) -> None:
    assert kind_of(OSError(code, "")) is kind
