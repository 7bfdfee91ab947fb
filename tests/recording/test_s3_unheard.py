"""Segments that arrived, and of which nobody was told so."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.servers.proxy import Fault, FaultyProxy, Harm, Way

from voicesession.core.audio import AudioFormat
from voicesession.core.backoff import Backoff
from voicesession.core.errors import StoreTimeout
from voicesession.core.results import SessionFolder
from voicesession.core.timeline import Track
from voicesession.recording.feed import Feed
from voicesession.recording.keeper import Keeper
from voicesession.recording.recovery import Recovery
from voicesession.recording.s3 import S3Limits, S3ObjectStore
from voicesession.recording.segments import SegmentFolder
from voicesession.recording.shipping import Shipment
from voicesession.recording.spool import open_spool
from voicesession.recording.writer import Writer
from voicesession.runtime.clock import SteppedClock
from voicesession.testing.contracts.recorded import MS, Wav, steady

LIMITS = S3Limits(backoff=Backoff(retries=1, first_us=1_000, longest_us=1_000))
FOLDER = SessionFolder("s1")
ANSWER_IS_LOST = Fault(
    harm=Harm.CUT, way=Way.TO_CLIENT, once_seen=b"|".join((steady(2, 50), steady(3, 50)))
)
"""Once samples of these levels have passed."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store(client_by_proxy: Any, proxy: FaultyProxy, bucket: str, place: str) -> S3ObjectStore:
    proxy.harm()
    return S3ObjectStore(bucket, place, client=client_by_proxy, limits=LIMITS)


class Recorded:
    """A recording on this machine, shipped when told."""

    def __init__(self, disk: Path, store: S3ObjectStore) -> None:
        self.disk = disk
        self.spool = open_spool(disk, FOLDER, 16_000)
        self._feed = Feed(
            Keeper(self.spool, unshipped_limit_bytes=1 << 30), AudioFormat(), Writer()
        )
        self._shipment = Shipment(self._feed, store, due_us=0)

    def write(self, at_ms: int, level: int) -> None:
        """Record 100 milliseconds of *level*."""
        self._feed.give(None, Track.USER, at_ms * MS, steady(level, 100))
        self._feed.write_out()

    async def ship(self) -> None:
        try:
            await self._shipment.ship()
        finally:
            self._feed.write_out()


async def recovered(disk: Path, store: S3ObjectStore) -> list[tuple[int, int]]:
    """The caller's levels, and for how long, in the only thing that is left."""
    clock = SteppedClock(datetime(2030, 1, 1, tzinfo=UTC))
    (report,) = await Recovery(disk, store, clock=clock).finish()
    assert report.recorded is not None
    (left,) = await store.find()
    wav = Wav.of(await store.get(left.key))
    return wav.levels(wav.left)


@pytest.fixture
async def recording(
    tmp_path: Path, store: S3ObjectStore, proxy: FaultyProxy
) -> AsyncGenerator[Recorded]:
    """Two segments arrived unheard, each late for the place of the one before; and then more."""
    recording = Recorded(tmp_path / "here", store)
    await recording.ship()  # there is nothing of before
    recording.write(0, 1)
    await recording.ship()
    proxy.harm(ANSWER_IS_LOST, forever=True)
    for level in (2, 3):
        recording.write(100, level)
        with pytest.raises(StoreTimeout):
            await recording.ship()
    proxy.harm()
    recording.write(100, 4)
    yield recording
    recording.spool.release()


async def test_they_are_there(recording: Recorded, store: S3ObjectStore) -> None:
    shipped = await SegmentFolder(store, FOLDER).look()
    assert shipped is not None
    assert len(shipped.segments) == 3


async def test_after_a_crash_the_disk_still_knows_better(
    recording: Recorded, store: S3ObjectStore
) -> None:
    recording.spool.release()
    assert await recovered(recording.disk, store) == [(1, 100), (4, 100)]


async def test_what_is_shipped_later_holds_on_other_machines_and_nothing_is_doubled_or_left(
    recording: Recorded, store: S3ObjectStore, tmp_path: Path
) -> None:
    recording.write(200, 5)
    await recording.ship()
    assert await recovered(tmp_path / "elsewhere", store) == [(1, 100), (4, 100), (5, 100)]


async def test_where_the_disk_is_lost_they_are_in_the_file(
    recording: Recorded, store: S3ObjectStore, tmp_path: Path
) -> None:
    assert await recovered(tmp_path / "elsewhere", store) == [(1, 100), (3, 100)]


async def test_the_next_owner_knows_better_than_the_disk_of_the_one_before(
    recording: Recorded, store: S3ObjectStore, tmp_path: Path
) -> None:
    recording.spool.release()
    later = Recorded(tmp_path / "later", store)
    await later.ship()
    later.write(100, 6)
    await later.ship()
    later.spool.release()
    assert await recovered(recording.disk, store) == [(1, 100), (6, 100)]
