"""What every ``Recorder`` does."""

from __future__ import annotations

import io
import wave
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from struct import pack, unpack
from urllib.parse import unquote

import pytest
from attrs import frozen

from ...core.audio import AudioFormat, Encoding
from ...core.errors import InvalidValue, RecordingFailed
from ...core.timeline import Span, Track
from ...ports.objects import ObjectStore
from ...ports.recording import Gap, Recorded, Recorder, Recording

__all__ = ("RecorderContract", "Wav", "steady")

RATE_HZ = 16_000
FORMAT = AudioFormat(sample_rate=RATE_HZ)
MS = 1_000
SECOND = 1_000_000
USER, AGENT = Track


def steady(level: int, milliseconds: int, *, rate_hz: int = RATE_HZ) -> bytes:
    """s16 audio of one level: enough to tell what is where."""
    return pack("<h", level) * (milliseconds * rate_hz // 1000)


@frozen
class Wav:
    """A file, read by Python's own ``wave``: not by our code.

    Attributes:
        left: The samples of the caller.
        right: Those of the agent; None in a file of one channel.
    """

    rate_hz: int
    left: tuple[int, ...]
    right: tuple[int, ...] | None

    @classmethod
    def of(cls, content: bytes) -> Wav:
        """Read a WAV file of 16-bit samples."""
        with wave.open(io.BytesIO(content)) as reader:
            data = reader.readframes(reader.getnframes())
            assert reader.getsampwidth() == 2
            assert len(data) == len(content) - 44
            samples = unpack(f"<{len(data) // 2}h", data)
            if reader.getnchannels() == 1:
                return cls(reader.getframerate(), samples, None)
            return cls(reader.getframerate(), samples[0::2], samples[1::2])

    def levels(self, channel: tuple[int, ...] | None) -> list[tuple[int, int]]:
        """The channel as levels and how many milliseconds each lasts."""
        assert channel is not None
        runs: list[tuple[int, int]] = []
        for sample in channel:
            if runs and runs[-1][0] == sample:
                runs[-1] = (sample, runs[-1][1] + 1)
            else:
                runs.append((sample, 1))
        return [(level, count * 1000 // self.rate_hz) for level, count in runs]


class RecorderContract(ABC):
    """Subclass it and give it ``objects``, where finished files go, and ``recorders``."""

    @pytest.fixture
    @abstractmethod
    def objects(self) -> ObjectStore: ...

    @abstractmethod
    def make(self, objects: ObjectStore) -> Recorder:
        """Return another recorder: of the same machine, as after a restart."""

    @pytest.fixture
    async def recorder(self, objects: ObjectStore) -> AsyncGenerator[Recorder]:
        recorder = self.make(objects)
        yield recorder
        await recorder.aclose()

    @staticmethod
    async def file(objects: ObjectStore, recorded: Recorded) -> Wav:
        """Read what was recorded, and see that the report on it is right."""
        (found,) = await objects.find(f"sessions/{recorded.session_id}/audio")
        assert unquote(recorded.uri).endswith(found.key)
        assert recorded.size_bytes == found.size_bytes
        wav = Wav.of(await objects.get(found.key))
        assert recorded.tracks == ((USER,) if wav.right is None else (USER, AGENT))
        assert abs(len(wav.left) - recorded.duration_us * wav.rate_hz / SECOND) <= 1
        return wav

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

    async def test_a_closed_recording_takes_nothing_more(self, recorder: Recorder) -> None:
        recording = recorder.open("s1", FORMAT)
        await recording.close(0)
        await self._is_closed(recording)

    async def _is_closed(self, recording: Recording) -> None:
        attempts: tuple[Callable[[], None], ...] = (
            lambda: recording.write(USER, 0, b"\0\0"),
            lambda: recording.pause(0),
            lambda: recording.resume(0),
            lambda: recording.mask(0, 1),
        )
        for attempt in attempts:
            with pytest.raises(RecordingFailed, match="closed"):
                attempt()
        with pytest.raises(RecordingFailed, match="closed"):
            await recording.close(0)
        recording.release()

    async def test_a_discarded_recording_leaves_nothing(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        await recording.discard()
        await recording.discard()
        await self._is_closed(recording)
        assert await objects.find() == []
        assert await recorder.recover() == []
        assert recorder.open("s1", FORMAT).kept_until_us == 0

    async def test_discarding_takes_what_was_finished_before_but_of_no_other_session(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        await recorder.open("s1", FORMAT).close(20 * MS)
        await recorder.open("s10", FORMAT).close(20 * MS)
        await objects.put("sessions/s1/transcript.json", b"{}")
        await recorder.open("s1", FORMAT).discard()
        assert [found.key for found in await objects.find()] == [
            "sessions/s1/transcript.json",
            "sessions/s10/audio.wav",
        ]

    async def test_a_released_recording_is_continued_where_it_was(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        first = recorder.open("s1", FORMAT)
        first.write(USER, 0, steady(1, 100))
        first.mask(20 * MS, 40 * MS)
        first.release()
        second = recorder.open("s1", FORMAT)
        assert second.kept_until_us == 100 * MS
        second.write(USER, 100 * MS, steady(2, 20))
        recorded = await second.close(120 * MS)
        wav = await self.file(objects, recorded)
        assert wav.levels(wav.left) == [(1, 20), (0, 20), (1, 60), (2, 20)]
        assert (recorded.partial, recorded.gaps) == (False, ())

    async def test_a_recording_is_continued_by_the_next_process(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        first = recorder.open("s1", FORMAT)
        first.write(USER, 0, steady(1, 100))
        first.pause(80 * MS)
        await recorder.aclose()
        await self._is_closed(first)
        successor = self.make(objects)
        second = successor.open("s1", FORMAT)
        assert second.kept_until_us == 100 * MS
        second.resume(110 * MS)
        second.write(USER, 120 * MS, steady(2, 30))
        recorded = await second.close(150 * MS)
        await successor.aclose()
        wav = await self.file(objects, recorded)
        assert wav.levels(wav.left) == [(1, 80), (0, 10), (2, 30)]
        assert recorded.cuts == (Span(80 * MS, 110 * MS),)
        assert recorded.gaps == (Gap(USER, Span(100 * MS, 120 * MS)),)

    async def test_who_opens_again_takes_over_and_the_former_owner_is_closed(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        first = recorder.open("s1", FORMAT)
        first.write(USER, 0, steady(1, 100))
        second = recorder.open("s1", FORMAT)
        await self._is_closed(first)
        second.write(USER, second.kept_until_us, steady(2, 100))
        wav = await self.file(objects, await second.close(200 * MS))
        assert wav.levels(wav.left) == [(1, 100), (2, 100)]

    async def test_a_session_is_recorded_in_one_format(self, recorder: Recorder) -> None:
        recorder.open("s1", FORMAT)
        with pytest.raises(RecordingFailed):
            recorder.open("s1", AudioFormat(sample_rate=8_000))

    async def test_a_session_is_recorded_by_one_process(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        other = self.make(objects)
        with pytest.raises(RecordingFailed, match="somebody else"):
            other.open("s1", FORMAT)
        assert await other.recover() == []
        recording.write(USER, 0, steady(1, 20))
        assert (await recording.close(20 * MS)).problems == ()
        await other.aclose()

    async def test_what_nobody_owns_is_finished_once_and_is_partial(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        recording.write(AGENT, 50 * MS, steady(2, 100))
        recorder.open("silent", FORMAT)
        await recorder.aclose()
        successor = self.make(objects)
        empty, report = sorted(await successor.recover(), key=lambda one: one.recorded is not None)
        assert (empty.session_id, empty.recorded, empty.problem) == ("silent", None, None)
        assert report.session_id == "s1"
        assert report.recorded is not None
        assert report.recorded.partial
        wav = await self.file(objects, report.recorded)
        assert wav.levels(wav.left) == [(1, 100), (0, 50)]
        assert wav.levels(wav.right) == [(0, 50), (2, 100)]
        assert await successor.recover() == []
        await successor.aclose()

    async def test_a_session_that_may_come_back_is_spared(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        for session_id in ("s1", "s2"):
            recorder.open(session_id, FORMAT).write(USER, 0, steady(1, 20))
        await recorder.aclose()
        successor = self.make(objects)
        reports = await successor.recover(spare={"s1"})
        assert [report.session_id for report in reports] == ["s2"]
        assert successor.open("s1", FORMAT).kept_until_us == 20 * MS
        await successor.aclose()

    async def test_what_is_finished_is_never_written_over(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 20))
        first = await recording.close(20 * MS)
        recording = recorder.open("s1", FORMAT)
        recording.write(USER, 20 * MS, steady(2, 20))
        second = await recording.close(40 * MS)
        keys = [found.key for found in await objects.find()]
        assert keys == ["sessions/s1/audio-2.wav", "sessions/s1/audio.wav"]
        assert [second.uri.endswith(keys[0]), first.uri.endswith(keys[1])] == [True, True]
        assert Wav.of(await objects.get(keys[1])).left == (1,) * 320

    async def test_audio_that_comes_faster_than_time_is_kept_whole(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        for n in range(1_500):
            recording.write(USER, n * 20 * MS, steady(n, 20))
        recorded = await recording.close(30 * SECOND)
        assert (recorded.problems, recorded.gaps) == ((), ())
        wav = await self.file(objects, recorded)
        assert wav.levels(wav.left) == [(n, 20) for n in range(1_500)]

    async def test_a_closed_recorder_opens_nothing(self, recorder: Recorder) -> None:
        await recorder.aclose()
        await recorder.aclose()
        with pytest.raises(RecordingFailed, match="closed"):
            recorder.open("s1", FORMAT)
