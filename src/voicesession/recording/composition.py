"""From a spool, and the segments of it, to the finished file; or more where a WAV is full."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Final

from anyio import to_thread
from attrs import evolve, frozen

from ..core.audio import AudioFormat
from ..core.errors import RecordingFailed, StoreError
from ..core.pcm import interleave
from ..core.results import SessionFolder
from ..core.timeline import Piece, Span, Timeline, Track
from ..core.wav import MAX_WAV_DATA_BYTES, WAV_HEADER_BYTES, wav_header
from ..ports.objects import ObjectStore
from ..ports.recording import Recorded
from .losses import Losses
from .notes import Made, Notes
from .retrieval import fill
from .segments import SegmentFolder
from .spool import FRAME_BYTES, Spool

__all__ = ("compose", "recorded_in", "recording_keys")

_PIECE_FRAMES: Final = 16 * 1024
"""128 KiB in memory: 32 of each voice, 64 of both."""


async def compose(
    spool: Spool,
    objects: ObjectStore,
    *,
    losses: Losses,
    segments: SegmentFolder | None = None,
    max_data_bytes: int = MAX_WAV_DATA_BYTES,
) -> Recorded:
    """Make the finished file and return it; then nothing of spool and segments is left.

    Its owner's ``closed`` note says how long it is; without one it ends with its audio,
    and is partial. Done again after a crash it writes the same bytes to the same place.

    Args:
        segments: Where this recording was shipped to; None where none is.

    Raises:
        RecordingFailed: It could not be made, or not cleared away; the spool is still
            there, and let go.
    """
    try:
        # Listed before the notes are read: whoever has made one of them has noted it before.
        taken = await recording_keys(objects, spool.notes.folder)
        shipped = None if segments is None else await segments.look()
        if segments is None or shipped is None:
            if segments is not None and _is_copy(spool):
                raise RecordingFailed("somebody else has finished it")
            plan = await _plan(spool, taken, max_data_bytes)
            recorded = await _written(spool, objects, plan, losses)
            await to_thread.run_sync(spool.remove)
            return recorded
        if shipped.notes.made is None:
            await fill(spool, shipped, segments, losses)
            plan = await _plan(spool, taken, max_data_bytes)
            await segments.note(spool.notes)
            recorded = await _written(spool, objects, plan, losses)
            await segments.note(_notes_of(recorded, spool.notes))
        else:
            recorded = recorded_in(shipped.notes, shipped.notes.made)
        await to_thread.run_sync(spool.remove)
        with suppress(StoreError):  # the notes say that it is made; recovery tidies up
            await segments.tidy()
    except (OSError, StoreError) as error:
        raise RecordingFailed(f"the recording could not be finished: {error}") from error
    finally:
        spool.release()
    return recorded


def recorded_in(notes: Notes, made: Made) -> Recorded:
    """Return the recording that the notes say was *made*."""
    return Recorded(
        session_id=notes.session_id,
        uri=made.uris[0],
        further_uris=made.uris[1:],
        duration_us=made.duration_us,
        size_bytes=made.size_bytes,
        tracks=tuple(Track)[: made.channels],
        partial=made.is_partial,
        gaps=notes.gaps,
        cuts=notes.cuts,
        problems=notes.problems,
    )


def _notes_of(recorded: Recorded, notes: Notes) -> Notes:
    made = Made(
        uris=(recorded.uri, *recorded.further_uris),
        duration_us=recorded.duration_us,
        size_bytes=recorded.size_bytes,
        channels=len(recorded.tracks),
        is_partial=recorded.partial,
    )
    return evolve(
        notes,
        made=made,
        paused_at_us=None,
        cuts=recorded.cuts,
        gaps=recorded.gaps,
        problems=recorded.problems,
    )


async def recording_keys(objects: ObjectStore, folder: SessionFolder) -> tuple[str, ...]:
    """Return the keys of all finished recordings in *folder*.

    Raises:
        StoreError: They could not be listed.
    """
    return tuple(found.key for found in await objects.find(f"{folder}audio"))


@frozen(kw_only=True)
class _Plan:
    """What the files hold, and where they go."""

    timeline: Timeline
    tracks: tuple[Track, ...]
    parts: tuple[range, ...]
    keys: tuple[str, ...]

    @property
    def audio_format(self) -> AudioFormat:
        return AudioFormat(sample_rate=self.timeline.sample_rate, channels=len(self.tracks))


async def _plan(spool: Spool, taken: tuple[str, ...], max_data_bytes: int) -> _Plan:
    tracks = tuple(Track) if spool.has(Track.AGENT) else (Track.USER,)
    timeline = _timeline(spool)
    frames_a_file = max_data_bytes // (FRAME_BYTES * len(tracks))
    parts = tuple(
        range(start, min(start + frames_a_file, timeline.file_frames))
        for start in range(0, timeline.file_frames, frames_a_file)
    ) or (range(0),)
    keys = await to_thread.run_sync(_settled_keys, spool, taken, len(parts))
    return _Plan(timeline=timeline, tracks=tracks, parts=parts, keys=keys)


async def _written(spool: Spool, objects: ObjectStore, plan: _Plan, losses: Losses) -> Recorded:
    timeline, frame_bytes = plan.timeline, plan.audio_format.frame_bytes
    uris: list[str] = []
    for key, part in zip(plan.keys, plan.parts, strict=False):
        header = wav_header(plan.audio_format, len(part) * frame_bytes)
        pieces = timeline.pieces(at_most_frames=_PIECE_FRAMES, within=part)
        uris.append(await objects.put_pieces(key, _content(spool, plan.tracks, header, pieces)))
    return Recorded(
        session_id=spool.notes.session_id,
        uri=uris[0],
        further_uris=tuple(uris[1:]),
        duration_us=timeline.file_duration_us,
        size_bytes=WAV_HEADER_BYTES * len(plan.parts) + timeline.file_frames * frame_bytes,
        tracks=plan.tracks,
        partial=spool.notes.closed_us is None,
        gaps=losses.gaps,
        cuts=timeline.cuts,
        problems=losses.problems,
    )


def _is_copy(spool: Spool) -> bool:
    """Whether everything in *spool* came from segments, or was to come from there."""
    notes = spool.notes
    return notes.first_frame is None and (notes.closed_us is None or any(map(spool.has, Track)))


def _timeline(spool: Spool) -> Timeline:
    notes = spool.notes
    duration_us = notes.closed_us
    if duration_us is None:
        end_frame = max(map(spool.end_frame, Track))
        # Rounded up: the last frame belongs to it.
        duration_us = -(-end_frame * 1_000_000 // notes.sample_rate)
    cuts = notes.cuts
    if notes.paused_at_us is not None and notes.paused_at_us < duration_us:
        cuts = (*cuts, Span(notes.paused_at_us, duration_us))
    return Timeline(
        sample_rate=notes.sample_rate, duration_us=duration_us, cuts=cuts, masks=notes.masks
    )


def _settled_keys(spool: Spool, taken: tuple[str, ...], number: int) -> tuple[str, ...]:
    """Choose names that nobody has, and note them, so that a second try takes the same."""
    keys = spool.notes.keys
    if len(keys) < number:
        free = (key for key in _names(spool.notes.folder) if key not in {*taken, *keys})
        keys += tuple(next(free) for _ in range(number - len(keys)))
        spool.note_keys(keys)
    return keys


def _names(folder: SessionFolder) -> Iterator[str]:
    yield f"{folder}audio.wav"
    for number in count(2):
        yield f"{folder}audio-{number}.wav"


def _content(
    spool: Spool, tracks: tuple[Track, ...], header: bytes, pieces: Iterator[Piece]
) -> Iterator[bytes]:
    yield header
    for piece in pieces:
        if piece.is_silent:
            yield bytes(len(piece.frames) * FRAME_BYTES * len(tracks))
            continue
        voices = [spool.read(track, piece.frames) for track in tracks]
        yield voices[0] if len(voices) == 1 else interleave(*voices)
