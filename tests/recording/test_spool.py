from __future__ import annotations

import fcntl
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from voicesession.core.errors import RecordingFailed
from voicesession.core.results import SessionFolder
from voicesession.core.timeline import Span, Track
from voicesession.recording import spool as spool_module
from voicesession.recording.folders import make_folder
from voicesession.recording.spool import Spool, claim_spool, left_spools, open_spool, sweep
from voicesession.testing.effort import examples
from voicesession.testing.strategies_audio import samples_s16

USER, AGENT = Track


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "spools"


@pytest.fixture
def spool(root: Path) -> Spool:
    return open_spool(root, SessionFolder("s1"), 8_000)


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(Track), st.integers(0, 300), samples_s16(max_samples=60)))
)
def test_each_track_holds_the_last_given_for_each_place_and_silence_elsewhere(
    root: Path, writes: list[tuple[Track, int, bytes]]
) -> None:
    spool = open_spool(root, SessionFolder("s1"), 8_000)
    expected = {track: bytearray(1_000) for track in Track}
    for track, frame, samples in writes:
        spool.write(track, frame, samples)
        expected[track][2 * frame : 2 * frame + len(samples)] = samples
    for track in Track:
        assert spool.read(track, range(500)) == expected[track]
        assert spool.read(track, range(7, 200)) == expected[track][14:400]
    spool.remove()


def test_only_the_owner_may_look(root: Path, spool: Spool) -> None:
    spool.write(USER, 0, b"ab")
    for path in (root, *root.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_what_a_mask_wipes_is_not_on_the_disk_any_more(root: Path, spool: Spool) -> None:
    spool.write(USER, 0, b"secret" * 50_000)
    spool.mask(Span(0, 20_000_000))
    spool.write(USER, 10, b"secret")
    assert set((root / "open" / "s1" / "user.s16").read_bytes()) == {0}


def test_a_pause_wipes_what_is_behind_it(root: Path, spool: Spool) -> None:
    spool.write(AGENT, 0, b"ab" * 16)
    spool.pause(1_000)
    spool.write(AGENT, 4, b"cd" * 8)
    assert (root / "open" / "s1" / "agent.s16").read_bytes() == b"ab" * 4 + b"cd" * 4 + bytes(16)


def test_a_spool_is_owned_until_it_is_released(root: Path, spool: Spool) -> None:
    folder = root / "open" / "s1"
    assert left_spools(root) == (folder,)
    assert claim_spool(folder) is None
    with pytest.raises(RecordingFailed, match="somebody else"):
        open_spool(root, SessionFolder("s1"), 8_000)
    spool.release()
    spool.release()
    claimed = claim_spool(folder)
    assert claimed is not None
    assert claimed.notes == spool.notes


def test_what_was_noted_and_written_is_there_for_the_next_owner(root: Path, spool: Spool) -> None:
    spool.write(USER, 0, b"ab" * 80)
    spool.pause(1_000)
    spool.resume(2_000)
    spool.mask(Span(3_000, 4_000))
    spool.note_closed(10_000)
    spool.note_keys(("a", "b"))
    assert spool.is_unsynced
    spool.take_unsynced().sync()
    assert not spool.is_unsynced
    spool.release()
    with (root / "open" / "s1" / "notes.jsonl").open("ab") as notes:
        notes.write(b'{"mask":[1')
    heir = open_spool(root, SessionFolder("s1"), 8_000)
    assert heir.notes == spool.notes
    heir.pause(9_000)
    heir.release()
    claimed = claim_spool(root / "open" / "s1")
    assert claimed is not None
    assert claimed.notes.paused_at_us == 9_000
    assert (claimed.end_frame(USER), claimed.has(AGENT)) == (80, False)


def test_a_spool_has_one_rate(root: Path, spool: Spool) -> None:
    spool.release()
    with pytest.raises(RecordingFailed, match="8000 Hz already, not 16000"):
        open_spool(root, SessionFolder("s1"), 16_000)
    open_spool(root, SessionFolder("s1"), 8_000)


def test_broken_notes_are_left_where_they_are(root: Path, spool: Spool) -> None:
    spool.release()
    notes = root / "open" / "s1" / "notes.jsonl"
    notes.write_bytes(b"no notes\n")
    with pytest.raises(RecordingFailed, match="cannot be read"):
        claim_spool(notes.parent)
    with pytest.raises(RecordingFailed, match="cannot be read"):
        open_spool(root, SessionFolder("s1"), 8_000)
    assert notes.read_bytes() == b"no notes\n"


def test_a_spool_whose_first_line_was_torn_is_begun_again(root: Path, spool: Spool) -> None:
    spool.release()
    (root / "open" / "s1" / "notes.jsonl").write_bytes(b'{"spo')
    assert open_spool(root, SessionFolder("s1"), 8_000).notes == spool.notes


def test_a_removed_spool_leaves_nothing_and_can_be_made_anew(root: Path, spool: Spool) -> None:
    spool.write(USER, 0, b"ab")
    spool.remove()
    assert (left_spools(root), list((root / "gone").iterdir())) == ((), [])
    assert open_spool(root, SessionFolder("s1"), 8_000).end_frame(USER) == 0


def test_a_crash_while_removing_leaves_nothing_to_recover(
    root: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(OSError, match="could not be removed"):
            spool.remove()
    assert left_spools(root) == ()
    assert len(list((root / "gone").iterdir())) == 1
    sweep(root)
    assert list((root / "gone").iterdir()) == []


def test_where_nothing_was_recorded_nothing_is_left(root: Path) -> None:
    sweep(root)
    assert left_spools(root) == ()


def test_a_folder_whose_owner_died_at_once_is_tidied_away(root: Path) -> None:
    make_folder(root / "open" / "s1")
    assert claim_spool(root / "open" / "s1") is None
    assert left_spools(root) == ()
    assert claim_spool(root / "open" / "s1") is None


def test_a_folder_that_is_just_being_made_is_left_alone(root: Path) -> None:
    make_folder(root / "open" / "s1")
    (root / "open" / "s1" / "user.s16").touch()
    assert claim_spool(root / "open" / "s1") is None
    assert left_spools(root) == (root / "open" / "s1",)


def test_who_opens_what_is_just_being_removed_makes_a_new_one(
    root: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    raced: list[int] = []

    def slow_flock(file: int, how: int) -> None:
        if not raced:
            raced.append(file)
            spool.remove()
        fcntl.flock(file, how)

    monkeypatch.setattr(spool_module, "flock", slow_flock)
    heir = open_spool(root, SessionFolder("s1"), 8_000)
    assert [path.name for path in (root / "open" / "s1").iterdir()] == ["notes.jsonl"]
    heir.write(USER, 0, b"ab")
    assert heir.end_frame(USER) == 1


def test_what_is_removed_before_it_can_be_claimed_is_gone(
    root: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:

    def slow_flock(file: int, how: int) -> None:
        spool.remove()
        fcntl.flock(file, how)

    monkeypatch.setattr(spool_module, "flock", slow_flock)
    assert claim_spool(root / "open" / "s1") is None


def test_a_path_through_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_folder(tmp_path / "file")
