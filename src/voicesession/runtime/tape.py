"""
The session's one axis of time, and what is recorded on it.

Media time is the caller's samples accepted: it moves with their audio and stands still
without. The agent's audio is laid where the session stands when it is played.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..core.audio import AudioFormat
from ..core.timeline import Track
from ..ports.recording import Recorded, Recorder, Recording, RecordingProblem
from .record import Running

__all__ = ("Tape",)

_TRACKS_AGREE_WITHIN_US: Final = 20_000


class Tape:
    """Counts the audio of one session, and records it where that is wanted.

    Args:
        running: Where the session's counts are kept; it says where the tape goes on.
        recorder: None where no audio is ever kept.
    """

    __slots__ = (
        "_accepted_bytes",
        "_agent_base_us",
        "_agent_bytes",
        "_agent_format",
        "_base_us",
        "_format",
        "_recorder",
        "_recording",
        "_running",
        "_session_id",
    )

    def __init__(
        self,
        session_id: str,
        audio_format: AudioFormat,
        running: Running,
        recorder: Recorder | None,
    ) -> None:
        self._session_id = session_id
        self._format = audio_format
        self._running = running
        self._recorder = recorder
        self._recording: Recording | None = None
        self._base_us = running.audio_duration_us
        self._accepted_bytes = 0
        self._agent_format = audio_format.plain
        self._agent_base_us = 0
        self._agent_bytes = 0

    @property
    def now_us(self) -> int:
        """Where the session stands."""
        return self._running.audio_duration_us

    @property
    def problems(self) -> Sequence[RecordingProblem]:
        """What went wrong with the recording so far; empty where there is none."""
        return () if self._recording is None else self._recording.problems

    def record(self) -> None:
        """Record from now on, behind what was recorded before.

        Raises:
            RecordingFailed: There is no place for it.
        """
        if self._recorder is None or self._recording is not None:
            return
        self._recording = self._recorder.open(self._session_id, self._format)
        # A worker that died may have kept more than it could count in the store.
        self._base_us += max(0, self._recording.kept_until_us - self.now_us)
        self._running.audio_duration_us = self._reaches_us(0)

    def moves_us(self, pcm: bytes) -> int:
        """Return how far `user` would move time on with *pcm*."""
        return self._reaches_us(len(pcm)) - self._running.audio_duration_us

    def user(self, pcm: bytes) -> None:
        """Take audio of the caller, whole sample frames: time moves on."""
        if self._recording is not None:
            self._recording.write(Track.USER, self.now_us, pcm)
        self._accepted_bytes += len(pcm)
        self._running.audio_chunks_processed += 1
        self._running.audio_duration_us = self._reaches_us(0)

    def agent(self, pcm: bytes) -> None:
        """Take audio of the agent, s16le mono at the session's rate, as it is played."""
        # Pieces of one reply lie end to end; a new reply, or a hitch, starts where we are now.
        at_us = self._agent_base_us + self._agent_format.duration_us(self._agent_bytes)
        if abs(at_us - self.now_us) > _TRACKS_AGREE_WITHIN_US:
            at_us = self._agent_base_us = self.now_us
            self._agent_bytes = 0
        if self._recording is not None:
            self._recording.write(Track.AGENT, at_us, pcm)
        self._agent_bytes += len(pcm)

    def pause_recording(self) -> None:
        """Keep nothing from here on; media time goes on, and the file leaves it out."""
        if self._recording is not None:
            self._recording.pause(self.now_us)

    def resume_recording(self) -> None:
        """Keep what comes from here on."""
        if self._recording is not None:
            self._recording.resume(self.now_us)

    def mask(self, from_us: int, to_us: int) -> None:
        """Make both voices silent from *from_us* to *to_us*; the time stays in the file.

        Raises:
            InvalidValue: The stretch is empty, or begins before the session does.
        """
        if self._recording is not None:
            self._recording.mask(from_us, to_us)

    async def finish(self) -> Recorded | None:
        """Make the file, if anything was recorded.

        Raises:
            RecordingFailed: It could not be made; recovery may still do it.
        """
        recording, self._recording = self._recording, None
        return None if recording is None else await recording.close(self.now_us)

    async def purge(self) -> None:
        """Forget everything recorded, also by owners before this one, and record no more.

        Raises:
            RecordingFailed: Something could not be removed.
        """
        self._recording = None
        if self._recorder is not None:
            await self._recorder.purge(self._session_id)

    def release(self) -> None:
        """Leave the recording to whoever goes on with the session."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.release()

    def _reaches_us(self, more_bytes: int) -> int:
        """Return where the session stands after so many more bytes of the caller."""
        # From the sum, not piece by piece: rounding must not add up.
        return self._base_us + self._format.duration_us(self._accepted_bytes + more_bytes)
