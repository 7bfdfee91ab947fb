from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pytest
from attrs import define, field

from voicesession.recording import writer as writer_module
from voicesession.recording.writer import Writer


@define(eq=False)
class Ear:
    """A source that does as it is told, and tells what was done to it."""

    on_write: Callable[[], None] = lambda: None
    on_sync: Callable[[], None] = lambda: None
    is_unsynced: bool = True
    rounds: int = 0
    syncs: int = 0
    errors: list[Exception] = field(factory=list)

    def write_out(self) -> None:
        self.rounds += 1
        self.on_write()

    def begin_sync(self) -> Callable[[], None]:
        self.syncs += 1
        return self.on_sync

    def broke(self, error: Exception) -> None:
        self.errors.append(error)


def test_stopping_makes_a_last_round_and_syncs_everybody() -> None:
    writer, ears = Writer(), [Ear() for _ in range(50)]
    for ear in ears:
        writer.add(ear)
    writer.stop()
    assert all(ear.rounds and ear.syncs for ear in ears)


def test_a_writer_that_wrote_nothing_stops() -> None:
    Writer().stop()


def test_who_is_woken_makes_a_round() -> None:
    writer, heard = Writer(), Event()
    ear = Ear()
    writer.add(ear)
    ear.on_write = heard.set
    writer.wake()
    writer.wake()
    assert heard.wait(10)
    writer.stop()


def test_a_defect_of_one_source_is_reported_to_it_and_does_not_end_the_others() -> None:
    writer, well, problem = Writer(), Ear(), ValueError("a defect")

    def fail() -> None:
        raise problem

    broken = Ear(on_write=fail)
    writer.add(broken)
    writer.add(well)
    writer.stop()
    assert set(broken.errors) == {problem}
    assert well.rounds


def test_only_who_has_something_new_is_synced() -> None:
    writer, ear = Writer(), Ear(is_unsynced=False)
    writer.add(ear)
    writer.stop()
    assert ear.syncs == 0


def test_of_many_the_longest_unsynced_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_SYNC_S", 0)
    monkeypatch.setattr(writer_module, "_SYNCS_AT_ONCE", 1)
    writer, all_had_it = Writer(), Event()
    ears = [Ear() for _ in range(5)]

    def tell() -> None:
        writer.wake()
        if all(ear.syncs >= 2 for ear in ears):
            all_had_it.set()

    for ear in ears:
        ear.on_sync = tell
        writer.add(ear)
    assert all_had_it.wait(10)
    writer.stop()
    syncs = [ear.syncs for ear in ears]
    assert max(syncs) - min(syncs) <= 2


def test_while_a_disk_hangs_over_one_sync_all_are_written_and_no_other_is_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer_module, "_SYNC_S", 0)
    writer, hangs, goes_on, wrote = Writer(), Event(), Event(), Event()
    first, second = Ear(), Ear()

    def hang() -> None:
        hangs.set()
        goes_on.wait(10)

    first.on_sync = hang
    writer.add(first)
    assert hangs.wait(10)
    before = first.rounds
    second.on_write = lambda: wrote.set() if second.rounds > 3 else writer.wake()
    writer.add(second)
    assert wrote.wait(10)
    assert first.rounds > before
    assert (first.syncs, second.syncs) == (1, 0)
    goes_on.set()
    writer.stop()
    assert second.syncs


def test_what_a_last_sync_finds_out_is_written_too() -> None:
    writer, ear = Writer(), Ear()
    rounds: list[int] = []
    ear.on_sync = lambda: rounds.append(ear.rounds)
    writer.add(ear)
    writer.stop()
    assert ear.rounds > rounds[-1]


def test_patience_runs_out_with_a_step_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_PATIENCE_S", 0.0)
    writer, hangs, goes_on = Writer(), Event(), Event()
    assert writer.patience_s() == 0

    def hang() -> None:
        hangs.set()
        goes_on.wait(10)

    writer.add(Ear(on_write=hang))
    assert hangs.wait(10)
    assert writer.patience_s() < 0
    goes_on.set()
    writer.stop()
    assert writer.patience_s() == 0
