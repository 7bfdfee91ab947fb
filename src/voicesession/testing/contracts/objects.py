"""What every ``ObjectStore`` does."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from ...core.errors import InvalidValue
from ...ports.objects import ObjectNotFound, ObjectStore, StoredObject

__all__ = ("ObjectStoreContract",)

KEY = "sessions/sess_1/audio.wav"
ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
BAD_KEYS = (
    *("", "/", "/absolute", "a//b", "a/", "..", "../outside", "a/../../outside", "a/./b", "..."),
    *(".hidden/a", "a/.hidden", "a\\b", "a b", "ü", "nul\0", "a\n", "x" * 201),
    "a/" * 450 + "a",
)
GOOD_KEYS = ("x" * 200, ("k" * 179 + "/") * 4 + "k" * 180, "a/..b/c", "A-Z_a.z:0=9@/+-", "a/b.tmp")
BAD_PREFIXES = ("/", "a//", "../a", "a/../", ".hidden/", "a b", "ü", "x" * 201, "a/" * 451)


class Trouble(Exception):
    """What goes wrong while the pieces of an object are made."""


class ObjectStoreContract(ABC):
    """Subclass it and give it a ``store``: an empty one."""

    @pytest.fixture
    @abstractmethod
    def store(self) -> ObjectStore: ...

    @pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 1_000])
    async def test_what_is_put_is_there_whole(self, store: ObjectStore, data: bytes) -> None:
        await store.put(KEY, data)
        assert await store.get(KEY) == data

    async def test_what_is_put_in_pieces_is_there_whole(self, store: ObjectStore) -> None:
        await store.put_pieces(KEY, (bytes([n]) * 10_000 for n in range(50)))
        assert await store.get(KEY) == b"".join(bytes([n]) * 10_000 for n in range(50))

    async def test_the_pieces_are_made_where_nobody_waits_for_them(
        self, store: ObjectStore
    ) -> None:
        def pieces() -> Iterator[bytes]:
            threads.add(threading.get_ident())
            yield b"1"
            threads.add(threading.get_ident())

        threads: set[int] = set()
        await store.put_pieces(KEY, pieces())
        assert threading.get_ident() not in threads

    async def test_an_object_has_one_uri_with_its_key(self, store: ObjectStore) -> None:
        uri = await store.put(KEY, b"one")
        assert uri.endswith(KEY)
        assert "://" in uri
        assert await store.put_pieces(KEY, [b"two"]) == uri

    async def test_a_later_object_takes_the_place_of_the_one_before(
        self, store: ObjectStore
    ) -> None:
        await store.put(KEY, b"a long first one")
        await store.put(KEY, b"short")
        assert await store.get(KEY) == b"short"
        assert [found.size_bytes for found in await store.find()] == [5]

    async def test_pieces_that_break_off_keep_nothing_and_harm_nothing(
        self, store: ObjectStore
    ) -> None:
        def pieces() -> Iterator[bytes]:
            yield bytes(100_000)
            raise Trouble

        await store.put("there", b"before")
        for key in ("there", "new/one"):
            with pytest.raises(Trouble):
                await store.put_pieces(key, pieces())
        assert await store.find() == [StoredObject("there", 6, ANY_TIME)]
        assert await store.get("there") == b"before"

    async def test_of_many_at_once_one_holds_whole(self, store: ObjectStore) -> None:
        async def put(n: int) -> None:
            await store.put_pieces(KEY, [bytes([n]) * 50_000] * 4)

        async with anyio.create_task_group() as group:
            for n in range(8):
                group.start_soon(put, n)
        held = await store.get(KEY)
        assert held == held[:1] * 200_000
        assert len(await store.find()) == 1

    @pytest.mark.parametrize(
        ("start", "end", "part"),
        [
            *((0, None, b"0123456789"), (3, None, b"3456789"), (0, 4, b"0123"), (3, 5, b"34")),
            *((3, 3, b""), (8, 99, b"89"), (10, None, b""), (50, 60, b"")),
        ],
    )
    async def test_a_range_is_what_lies_between(
        self, store: ObjectStore, start: int, end: int | None, part: bytes
    ) -> None:
        await store.put(KEY, b"0123456789")
        assert await store.get(KEY, start=start, end=end) == part

    @pytest.mark.parametrize(("start", "end"), [(-1, None), (5, 4)])
    async def test_a_range_that_runs_backwards_is_refused(
        self, store: ObjectStore, start: int, end: int | None
    ) -> None:
        await store.put(KEY, b"0123456789")
        with pytest.raises(InvalidValue):
            await store.get(KEY, start=start, end=end)

    async def test_what_is_not_there_is_not_found(self, store: ObjectStore) -> None:
        await store.put("sessions/a/b", b"")
        for key in ("missing", "sessions", "sessions/a", "sessions/a/b2"):
            with pytest.raises(ObjectNotFound, match=key):
                await store.get(key)

    async def test_a_listing_is_in_order_and_only_of_its_prefix(self, store: ObjectStore) -> None:
        keys = ["a-b", "a/b", "a/c/d", "a/c/e", "ab", "b"]
        for key in reversed(keys):
            await store.put(key, key.encode())
        assert await store.find() == [StoredObject(key, len(key), ANY_TIME) for key in sorted(keys)]
        for prefix in ("a", "a/", "a/c", "a/c/", "a/c/d", "b", "c", "a/x/"):
            found = [one.key for one in await store.find(prefix)]
            assert found == sorted(key for key in keys if key.startswith(prefix))

    async def test_a_listing_comes_in_pages(self, store: ObjectStore) -> None:
        keys = [f"k/{n:02}" for n in range(7)]
        for key in keys:
            await store.put(key, b"")
        seen: list[str] = []
        while page := await store.find("k/", after=seen[-1] if seen else "", limit=3):
            assert len(page) <= 3
            seen += [found.key for found in page]
        assert seen == keys

    async def test_a_page_begins_behind_any_key_there_or_not(self, store: ObjectStore) -> None:
        for key in ("a", "b/1", "b/3", "c"):
            await store.put(key, b"")
        for after, behind in (
            ("", "a"),
            ("a", "b/1"),
            ("b/1", "b/3"),
            ("b/2", "b/3"),
            ("b/4", "c"),
        ):
            assert [found.key for found in await store.find(after=after, limit=1)] == [behind]
        assert await store.find(after="c") == []
        assert await store.find("a", after="b") == []

    async def test_a_listing_says_when_each_was_kept(self, store: ObjectStore) -> None:
        await store.put("a", b"1")
        await store.put("b", b"2")
        first, second = await store.find()
        assert first.kept_at.utcoffset() == timedelta()
        # To the second: that is how finely some stores tell.
        assert timedelta(0) <= second.kept_at - first.kept_at <= timedelta(seconds=60)
        await store.put("a", b"3")
        (again,) = await store.find("a")
        assert again.kept_at >= first.kept_at

    @pytest.mark.parametrize("prefix", BAD_PREFIXES, ids=range(len(BAD_PREFIXES)))
    async def test_a_listing_of_what_no_key_begins_with_is_refused(
        self, store: ObjectStore, prefix: str
    ) -> None:
        with pytest.raises(InvalidValue, match="prefix is"):
            await store.find(prefix)

    async def test_a_page_of_nothing_is_refused(self, store: ObjectStore) -> None:
        with pytest.raises(InvalidValue, match="limit"):
            await store.find(limit=0)

    async def test_what_is_deleted_is_gone_and_twice_is_harmless(self, store: ObjectStore) -> None:
        await store.put("a/b/c", b"1")
        await store.put("a/d", b"2")
        await store.delete("a/b/c")
        await store.delete("a/b/c")
        await store.delete("never/there")
        assert await store.find() == [StoredObject("a/d", 1, ANY_TIME)]
        with pytest.raises(ObjectNotFound):
            await store.get("a/b/c")

    async def test_deleting_a_prefix_deletes_nothing(self, store: ObjectStore) -> None:
        await store.put("a/b", b"1")
        await store.delete("a")
        assert await store.get("a/b") == b"1"

    @pytest.mark.parametrize("key", GOOD_KEYS, ids=range(len(GOOD_KEYS)))
    async def test_a_key_is_what_the_port_says(self, store: ObjectStore, key: str) -> None:
        await store.put(key, b"1")
        assert await store.find() == [StoredObject(key, 1, ANY_TIME)]
        assert await store.get(key) == b"1"
        await store.delete(key)
        assert await store.find() == []

    @pytest.mark.parametrize("key", BAD_KEYS, ids=range(len(BAD_KEYS)))
    async def test_a_key_that_leads_elsewhere_is_refused_everywhere(
        self, store: ObjectStore, key: str
    ) -> None:
        for attempt in (
            store.put(key, b""),
            store.put_pieces(key, ()),
            store.get(key),
            store.delete(key),
        ):
            with pytest.raises(InvalidValue, match="key is"):
                await attempt
        assert await store.find() == []
