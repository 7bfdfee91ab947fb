from __future__ import annotations

from pathlib import Path
from struct import pack

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from voicesession.core.audio import AudioFormat
from voicesession.core.errors import RecordingFailed
from voicesession.core.results import SessionFolder
from voicesession.core.timeline import Span, Timeline, Track
from voicesession.recording.composition import compose
from voicesession.recording.file import FileObjectStore
from voicesession.recording.losses import Losses
from voicesession.recording.spool import Spool, open_spool
from voicesession.testing.contracts.recorded import Wav, steady
from voicesession.testing.effort import examples
from voicesession.testing.strategies_audio import spans

USER, AGENT = Track
RATE_HZ = 8_000


@pytest.fixture
def objects(tmp_path: Path) -> FileObjectStore:
    return FileObjectStore(tmp_path / "objects")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return open_spool(tmp_path / "spools", SessionFolder("s1"), RATE_HZ)


def counting(first: int, end: int) -> bytes:
    return pack(f"<{end - first}h", *range(first, end))


@pytest.mark.timeout(1_200)  # in proof
@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 8_000),
    st.lists(spans(max_us=900_000), max_size=3).map(tuple),
    st.lists(spans(max_us=900_000), max_size=3).map(tuple),
    st.sampled_from([300, 9_000, 1 << 30]),
)
async def test_the_file_is_what_the_timeline_plans(
    tmp_path: Path,
    frames: int,
    cuts: tuple[Span, ...],
    masks: tuple[Span, ...],
    max_data_bytes: int,
) -> None:
    objects = FileObjectStore(tmp_path / "objects")
    for found in await objects.find(limit=10_000):
        await objects.delete(found.key)
    spool = open_spool(tmp_path / "spools", SessionFolder("s1"), RATE_HZ)
    for cut in sorted(cuts):
        spool.pause(cut.from_us)
        spool.resume(cut.to_us)
    for mask in masks:
        spool.mask(mask)
    spool.write(USER, 0, counting(0, frames))
    spool.note_closed(AudioFormat(sample_rate=RATE_HZ).time_of(frames))
    plan = Timeline(
        sample_rate=RATE_HZ, duration_us=frames * 1_000_000 // RATE_HZ, cuts=cuts, masks=masks
    )
    expected = [
        0 if piece.is_silent else at
        for piece in plan.pieces(at_most_frames=1_000)
        for at in piece.frames
    ]
    recorded = await compose(
        spool, objects, losses=Losses(), max_data_bytes=max(max_data_bytes, frames // 4)
    )
    samples: list[int] = []
    for uri in (recorded.uri, *recorded.further_uris):
        samples += Wav.of(await objects.get(uri[uri.index("sessions/") :])).left
    assert samples == expected
    assert sum(found.size_bytes for found in await objects.find()) == recorded.size_bytes


async def test_what_one_wav_cannot_hold_goes_on_in_another(
    spool: Spool, objects: FileObjectStore
) -> None:
    spool.write(USER, 0, counting(0, 1_000))
    spool.write(AGENT, 0, counting(0, 1_000))
    recorded = await compose(spool, objects, losses=Losses(), max_data_bytes=1_602)
    keys = [f"sessions/s1/audio{suffix}.wav" for suffix in ("", "-2", "-3")]
    uris = [recorded.uri, *recorded.further_uris]
    assert [uri[uri.index("sessions/") :] for uri in uris] == keys
    parts = [Wav.of(await objects.get(key)).right for key in keys]
    assert parts == [tuple(range(400)), tuple(range(400, 800)), tuple(range(800, 1_000))]


async def test_done_again_after_a_crash_it_writes_the_same_to_the_same_place(
    spool: Spool, objects: FileObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: Spool) -> None:
        raise OSError("the machine stops here")

    spool.write(USER, 0, steady(3, 100, rate_hz=RATE_HZ))
    with monkeypatch.context() as stopping:
        stopping.setattr(Spool, "remove", crash)
        with pytest.raises(RecordingFailed, match="the machine stops here"):
            await compose(spool, objects, losses=Losses())
    (found,) = await objects.find()
    before = await objects.get(found.key)
    again = open_spool(tmp_path / "spools", SessionFolder("s1"), RATE_HZ)
    recorded = await compose(again, objects, losses=Losses())
    assert await objects.find() == [found]
    assert await objects.get(found.key) == before
    assert recorded.partial


async def test_a_spool_that_cannot_be_read_is_left_and_let_go(
    spool: Spool, objects: FileObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise OSError("a bad sector")

    spool.write(USER, 0, steady(3, 100, rate_hz=RATE_HZ))
    monkeypatch.setattr(Spool, "read", fail)
    with pytest.raises(RecordingFailed, match="a bad sector"):
        await compose(spool, objects, losses=Losses())
    assert await objects.find() == []
    assert open_spool(tmp_path / "spools", SessionFolder("s1"), RATE_HZ).end_frame(USER) == 800
