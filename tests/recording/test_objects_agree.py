"""All object stores are told the same and say the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from attrs import frozen
from hypothesis import HealthCheck, example, given, settings, strategies as st

from voicesession.core.errors import VoiceSessionError
from voicesession.ports.objects import ObjectStore, StoredObject
from voicesession.recording.file import FileObjectStore
from voicesession.recording.memory import MemoryObjectStore
from voicesession.recording.s3 import S3ObjectStore
from voicesession.testing.effort import examples

_numbers = count()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@frozen
class Put:
    key: str
    pieces: list[bytes]

    async def ask(self, store: ObjectStore) -> object:
        return (await store.put_pieces(self.key, self.pieces)).endswith(self.key)


@frozen
class Get:
    key: str
    start: int
    end: int | None

    async def ask(self, store: ObjectStore) -> object:
        return await store.get(self.key, start=self.start, end=self.end)


@frozen
class Find:
    prefix: str
    after: str
    limit: int

    async def ask(self, store: ObjectStore) -> Sequence[StoredObject]:
        return await store.find(self.prefix, after=self.after, limit=self.limit)


@frozen
class Delete:
    key: str

    async def ask(self, store: ObjectStore) -> None:
        await store.delete(self.key)


Step: TypeAlias = Put | Get | Find | Delete

# None is the beginning of another one and a slash: on a disk that would be a file and a folder.
KEYS = st.sampled_from(["a/b", "a/b2", "a/c/d", "a-b", "A", ".a", "a//b"])
PREFIXES = st.sampled_from(["", "a", "a/", "a/b", "a/c", "a/c/", "b", "a//", "A"])
STEPS = st.one_of(
    st.builds(Put, KEYS, st.lists(st.binary(max_size=20), max_size=3)),
    st.builds(Get, KEYS, st.integers(-1, 30), st.none() | st.integers(0, 30)),
    st.builds(Find, PREFIXES, st.just("") | KEYS, st.integers(0, 3)),
    st.builds(Delete, KEYS),
)


async def said(store: ObjectStore, step: Step) -> object:
    try:
        return await step.ask(store)
    except VoiceSessionError as error:
        return type(error), error.args


@settings(
    max_examples=examples(5),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEPS, max_size=15))
@example([Get(".a", 1, 0)])
async def test_whatever_is_asked_of_them_all_stores_say_the_same(
    tmp_path: Path, client: Any, bucket: str, steps: list[Step]
) -> None:
    place = f"agree-{next(_numbers)}"
    stores: list[ObjectStore] = [
        MemoryObjectStore(),
        FileObjectStore(tmp_path / place),
        S3ObjectStore(bucket, place, client=client),
    ]
    for step in [*steps, Find("", "", 100)]:
        first, *others = [await said(store, step) for store in stores]
        assert others == [first, first], step
