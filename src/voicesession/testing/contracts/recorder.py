"""What every ``Recorder`` does with what it is given."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack

import pytest

from ...core.audio import AudioFormat, Encoding
from ...core.errors import InvalidValue
from ...core.timeline import Span, Track
from ...ports.objects import ObjectStore
from ...ports.recording import Recorded, Recorder
from .recorded import FORMAT, MS, RATE_HZ, RecorderSuite, steady

__all__ = ("RecorderContract",)

USER, AGENT = Track


class RecorderContract(RecorderSuite):
    """What is kept, and where in the file it lies."""

    async def test_both_voices_lie_side_by_side_at_their_media_time(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        for n in range(10):
            recording.write(USER, n * 20 * MS, steady(n + 1, 20))
        recording.write(AGENT, 60 * MS, steady(-7, 100))
        recorded = await recording.close(200 * MS)
        wav = await self.file(objects, recorded)
        assert wav.rate_hz == RATE_HZ
        assert wav.levels(wav.left) == [(n + 1, 20) for n in range(10)]
        assert wav.levels(wav.right) == [(0, 60), (-7, 100), (0, 40)]
        assert recorded == Recorded(
            session_id="s1",
            uri=recorded.uri,
            duration_us=200 * MS,
            size_bytes=44 + 4 * 3_200,
            tracks=(USER, AGENT),
        )

    async def test_a_caller_alone_is_one_channel(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(3, 100))
        wav = await self.file(objects, await recording.close(100 * MS))
        assert (wav.levels(wav.left), wav.right) == ([(3, 100)], None)

    @pytest.mark.parametrize("duration_ms", [0, 60, 150])
    async def test_the_file_is_as_long_as_the_session_whatever_came(
        self, recorder: Recorder, objects: ObjectStore, duration_ms: int
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(3, 100))
        wav = await self.file(objects, await recording.close(duration_ms * MS))
        assert len(wav.left) == duration_ms * RATE_HZ // 1000

    async def test_what_never_came_is_silence(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recorded = await recorder.open("s1", FORMAT).close(50 * MS)
        wav = await self.file(objects, recorded)
        assert wav.levels(wav.left) == [(0, 50)]

    async def test_late_audio_lands_at_its_place_and_the_last_given_holds(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        recording.write(USER, 80 * MS, steady(3, 20))
        recording.write(USER, 0, steady(1, 40))
        recording.write(USER, 20 * MS, steady(2, 40))
        wav = await self.file(objects, await recording.close(100 * MS))
        assert wav.levels(wav.left) == [(1, 20), (2, 40), (0, 20), (3, 20)]

    @pytest.mark.parametrize("rate_hz", [11_025, 44_100, 47_999])
    async def test_chunks_of_any_size_lie_end_to_end_at_any_rate(
        self, recorder: Recorder, objects: ObjectStore, rate_hz: int
    ) -> None:
        audio_format = AudioFormat(sample_rate=rate_hz)
        recording = recorder.open("s1", audio_format)
        samples = tuple(range(1, 2_001))
        for first in range(0, len(samples), 7):
            chunk = samples[first : first + 7]
            at_us = audio_format.time_of(first)
            recording.write(USER, at_us, pack(f"<{len(chunk)}h", *chunk))
        recorded = await recording.close(audio_format.time_of(len(samples)))
        assert (await self.file(objects, recorded)).left == samples

    @pytest.mark.parametrize(
        ("audio_format", "pcm", "level"),
        [
            (AudioFormat(encoding=Encoding.MULAW, sample_rate=8_000), b"\x80" * 160, 32_124),
            (AudioFormat(encoding=Encoding.ALAW, sample_rate=8_000), b"\x2a" * 160, -32_256),
            (AudioFormat(encoding=Encoding.PCM_F32LE), pack("<f", 0.5) * 320, 16_384),
            (AudioFormat(sample_rate=48_000, channels=2), pack("<hh", 100, 300) * 960, 200),
        ],
    )
    async def test_the_file_is_16_bit_mono_at_the_callers_rate(
        self,
        recorder: Recorder,
        objects: ObjectStore,
        audio_format: AudioFormat,
        pcm: bytes,
        level: int,
    ) -> None:
        recording = recorder.open("s1", audio_format)
        recording.write(USER, 0, pcm)
        recording.write(AGENT, 20 * MS, steady(5, 20, rate_hz=audio_format.sample_rate))
        wav = await self.file(objects, await recording.close(40 * MS))
        assert wav.rate_hz == audio_format.sample_rate
        assert wav.levels(wav.left) == [(level, 20), (0, 20)]
        assert wav.levels(wav.right) == [(0, 20), (5, 20)]

    async def test_a_pause_is_cut_and_nothing_of_it_is_kept(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        for n in range(10):
            if n == 3:
                recording.pause(60 * MS)
                recording.pause(70 * MS)
            if n == 7:
                recording.resume(140 * MS)
                recording.resume(150 * MS)
            recording.write(USER, n * 20 * MS, steady(n + 1, 20))
        recording.write(AGENT, 50 * MS, steady(-5, 100))
        recorded = await recording.close(200 * MS)
        wav = await self.file(objects, recorded)
        assert wav.levels(wav.left) == [(n + 1, 20) for n in (0, 1, 2, 7, 8, 9)]
        assert wav.levels(wav.right) == [(0, 50), (-5, 20), (0, 50)]
        assert recorded.cuts == (Span(60 * MS, 140 * MS),)
        assert recorded.duration_us == 120 * MS

    async def test_a_pause_that_is_not_over_lasts_to_the_end(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        recording.pause(40 * MS)
        recorded = await recording.close(100 * MS)
        assert recorded.cuts == (Span(40 * MS, 100 * MS),)
        wav = await self.file(objects, recorded)
        assert wav.levels(wav.left) == [(1, 40)]

    async def test_a_mask_is_silent_and_keeps_its_time_also_for_what_comes_later(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        recording.mask(20 * MS, 60 * MS)
        recording.mask(120 * MS, 140 * MS)
        recording.write(USER, 40 * MS, steady(2, 40))
        recording.write(USER, 100 * MS, steady(3, 60))
        recording.write(AGENT, 0, steady(9, 160))
        wav = await self.file(objects, await recording.close(160 * MS))
        assert wav.levels(wav.left) == [
            *((1, 20), (0, 40), (2, 20), (1, 20)),
            *((3, 20), (0, 20), (3, 20)),
        ]
        assert wav.levels(wav.right) == [(9, 20), (0, 40), (9, 60), (0, 20), (9, 20)]

    async def test_what_is_impossible_is_refused_and_changes_nothing(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 20))
        recording.pause(20 * MS)
        attempts: tuple[Callable[[], None], ...] = (
            lambda: recording.write(USER, 0, b"\0"),
            lambda: recording.write(AGENT, 0, b"\0\0\0"),
            lambda: recording.write(USER, -1, b"\0\0"),
            lambda: recording.resume(10 * MS),
            lambda: recording.mask(5, 5),
            lambda: recording.mask(-5, 5),
        )
        for attempt in attempts:
            with pytest.raises(InvalidValue):
                attempt()
        recording.resume(20 * MS)
        with pytest.raises(InvalidValue):
            recording.pause(-1)
        with pytest.raises(InvalidValue):
            await recording.close(-1)
        wav = await self.file(objects, await recording.close(20 * MS))
        assert wav.levels(wav.left) == [(1, 20)]

    @pytest.mark.parametrize("session_id", ["", ".", "..", "a/b", "../x", "a\0b", "x" * 129, "ü"])
    async def test_a_session_id_that_is_a_path_is_refused(
        self, recorder: Recorder, session_id: str
    ) -> None:
        with pytest.raises(InvalidValue, match="session_id"):
            recorder.open(session_id, FORMAT)

    @pytest.mark.parametrize("session_id", ["sess_1", "A.b:c-d_e", ".hidden", "-x"])
    async def test_every_id_of_a_session_names_a_recording(
        self, recorder: Recorder, objects: ObjectStore, session_id: str
    ) -> None:
        recorded = await recorder.open(session_id, FORMAT).close(20 * MS)
        assert (await self.file(objects, recorded)).right is None

    async def test_audio_that_comes_faster_than_time_is_kept_whole(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        for n in range(1_500):
            recording.write(USER, n * 20 * MS, steady(n, 20))
        recorded = await recording.close(30_000 * MS)
        assert (recorded.problems, recorded.gaps) == ((), ())
        wav = await self.file(objects, recorded)
        assert wav.levels(wav.left) == [(n, 20) for n in range(1_500)]
