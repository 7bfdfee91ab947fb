"""Whose a recording is: one owner at a time, and none is left behind."""

from __future__ import annotations

import pytest

from ...core.audio import AudioFormat
from ...core.errors import InvalidValue, RecordingFailed
from ...core.timeline import Span, Track
from ...ports.objects import ObjectStore
from ...ports.recording import Gap, Recorder
from .recorded import FORMAT, MS, RecorderSuite, Wav, steady

__all__ = ("RecorderOwnershipContract",)

USER = Track.USER
AGENT = Track.AGENT


class RecorderOwnershipContract(RecorderSuite):
    """Closing, discarding, releasing, taking over, recovering."""

    async def test_a_closed_recording_takes_nothing_more(self, recorder: Recorder) -> None:
        recording = recorder.open("s1", FORMAT)
        await recording.close(0)
        await self.is_closed(recording)

    async def test_a_discarded_recording_leaves_nothing(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        recording = recorder.open("s1", FORMAT)
        recording.write(USER, 0, steady(1, 100))
        await recording.discard()
        await recording.discard()
        await self.is_closed(recording)
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
        await self.is_closed(first)
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
        await self.is_closed(first)
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

    async def test_what_was_left_can_be_looked_at_before_some_of_it_is_finished(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        for number in (1, 2, 3):
            recorder.open(f"s{number}", FORMAT).write(USER, 0, steady(1, 20 * number))
        assert await recorder.find_left() == []
        await recorder.aclose()
        successor = self.make(objects)
        left = await successor.find_left()
        assert [(one.session_id, one.duration_us) for one in left] == [
            *(("s1", 20 * MS), ("s2", 40 * MS), ("s3", 60 * MS)),
        ]
        assert await successor.find_left() == left
        reports = await successor.recover_only({"s2", "never-seen"})
        assert [report.session_id for report in reports] == ["s2"]
        assert [one.session_id for one in await successor.find_left()] == ["s1", "s3"]
        await successor.aclose()

    async def test_of_a_purged_session_nothing_is_left_in_whatever_state_it_was(
        self, recorder: Recorder, objects: ObjectStore
    ) -> None:
        await recorder.open("finished", FORMAT).close(20 * MS)
        for session_id in ("open", "released", "another"):
            recorder.open(session_id, FORMAT).write(USER, 0, steady(1, 20))
        released = recorder.open("released", FORMAT)
        released.release()
        for session_id in ("finished", "open", "released", "unknown"):
            await recorder.purge(session_id)
            await recorder.purge(session_id)
        await recorder.aclose()
        successor = self.make(objects)
        assert [one.session_id for one in await successor.recover()] == ["another"]
        keys = [found.key for found in await objects.find()]
        assert keys == ["sessions/another/audio.wav"]
        with pytest.raises(InvalidValue):
            await successor.purge("../another")
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

    async def test_a_closed_recorder_opens_nothing(self, recorder: Recorder) -> None:
        await recorder.aclose()
        await recorder.aclose()
        with pytest.raises(RecordingFailed, match="closed"):
            recorder.open("s1", FORMAT)
