from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from voicesession.core.errors import InvalidValue, StoreError
from voicesession.recording.file import FileObjectStore
from voicesession.testing.contracts.objects import ObjectStoreContract


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def modes_of(top: Path) -> dict[str, set[int]]:
    modes: dict[str, set[int]] = {"folder": set(), "file": set()}
    for path in (top, *top.rglob("*")):
        modes["folder" if path.is_dir() else "file"].add(stat.S_IMODE(path.stat().st_mode))
    return modes


class TestFileObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FileObjectStore:
        return FileObjectStore(tmp_path / "objects")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "objects"


@pytest.fixture
def store(root: Path) -> FileObjectStore:
    return FileObjectStore(root)


async def test_nobody_else_may_look_whatever_the_umask(store: FileObjectStore, root: Path) -> None:
    before = os.umask(0)
    try:
        await store.put("sessions/a/audio.wav", b"private")
    finally:
        os.umask(before)
    assert modes_of(root.parent) == {"folder": {0o700}, "file": {0o600}}


async def test_a_failed_write_leaves_no_file(store: FileObjectStore, root: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        await store.put_pieces("a/b", (bytes(1 // n) for n in (1, 0)))
    assert everything_in(root) == ["a"]


async def test_a_folder_that_becomes_empty_goes_with_its_last_object(
    store: FileObjectStore, root: Path
) -> None:
    await store.put("a/b/c", b"")
    await store.put("a/d", b"")
    await store.delete("a/b/c")
    assert everything_in(root) == ["a", "a/d"]
    await store.delete("a/d")
    assert everything_in(root) == []


async def test_what_a_crash_left_half_written_goes_with_the_next_write_of_its_key(
    store: FileObjectStore, root: Path
) -> None:
    await store.put("a/other", b"")
    (root / "a" / ".key.abc.tmp").write_bytes(b"half")
    (root / "a" / ".other.abc.tmp").write_bytes(b"half")
    assert [found.key for found in await store.find()] == ["a/other"]
    await store.put("a/key", b"whole")
    assert everything_in(root) == ["a", "a/.other.abc.tmp", "a/key", "a/other"]
    await store.delete("a/other")
    assert everything_in(root) == ["a", "a/key"]


async def test_what_somebody_is_just_writing_is_no_leftover(
    store: FileObjectStore, root: Path
) -> None:
    (root / "a").mkdir(parents=True)
    with (root / "a" / ".key.abc.tmp").open("wb") as writing:
        fcntl.flock(writing, fcntl.LOCK_EX)
        await store.put("a/key", b"another")
    assert everything_in(root) == ["a", "a/.key.abc.tmp", "a/key"]


async def test_a_link_does_not_lead_out_of_the_store(
    store: FileObjectStore, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    await store.put("in", b"")
    (root / "out").symlink_to(outside)
    (root / "link").symlink_to(outside / "secret")
    for attempt in (store.get("out/secret"), store.put("out/x", b""), store.delete("out/secret")):
        with pytest.raises(InvalidValue, match="no link that leads out"):
            await attempt
    with pytest.raises(StoreError):
        await store.get("link")
    assert [found.key for found in await store.find()] == ["in"]
    await store.put("link", b"mine now")
    assert (outside / "secret").read_bytes() == b"secret"
    assert everything_in(outside) == ["secret"]


async def test_hidden_files_beside_the_objects_are_not_objects(
    store: FileObjectStore, root: Path
) -> None:
    (root / ".spool" / "open").mkdir(parents=True)
    (root / ".spool" / "open" / "notes").write_bytes(b"")
    assert await store.find() == []
    with pytest.raises(InvalidValue):
        await store.get(".spool/open/notes")


async def test_a_file_that_no_key_names_is_no_object(store: FileObjectStore, root: Path) -> None:
    await store.put("a/b", b"")
    (root / "a" / "with a space").write_bytes(b"")
    assert [found.key for found in await store.find()] == ["a/b"]


async def test_a_folder_that_may_not_be_read_is_told_as_a_failure_of_the_store(
    store: FileObjectStore, root: Path
) -> None:
    await store.put("a/b", b"")
    (root / "loop").symlink_to(root / "loop")
    with pytest.raises(StoreError, match="loop/x"):
        await store.put("loop/x", b"")


async def test_the_names_of_an_object_are_durable_before_it_counts_as_kept_or_gone(
    store: FileObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, bool]] = []

    def note(file: int) -> None:
        path = Path(f"/proc/self/fd/{file}").readlink()
        synced.append((path.name if path.is_dir() else "file", (root / "a" / "key").exists()))

    await store.put("a/other", b"")
    monkeypatch.setattr(os, "fsync", note)
    await store.put("a/key", b"")
    assert synced == [("file", False), ("a", True)]
    synced.clear()
    await store.delete("a/key")
    await store.delete("a/key")
    assert synced == [("a", False), ("a", False)]


async def test_a_file_that_is_cut_short_while_it_is_read_ends_there(
    store: FileObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put("a", b"0123456789")
    whole = os.pread

    def cut(file: int, count: int, offset: int) -> bytes:
        os.truncate(root / "a", 4)
        return whole(file, count, offset)

    monkeypatch.setattr(os, "pread", cut)
    assert await store.get("a") == b"0123"


async def test_a_key_below_another_object_cannot_be_kept(store: FileObjectStore) -> None:
    await store.put("a", b"1")
    with pytest.raises(StoreError, match="a/b"):
        await store.put("a/b", b"2")
    await store.delete("a/b")
    assert await store.get("a") == b"1"


async def test_a_root_that_is_a_file_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = FileObjectStore(tmp_path / "file")
    with pytest.raises(StoreError):
        await store.put("a", b"")
    assert await store.find() == []
