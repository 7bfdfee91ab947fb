"""From a spool to the finished file: one WAV, or more where it would pass 4 GiB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from anyio import to_thread

from ..core.audio import AudioFormat
from ..core.errors import RecordingFailed, StoreError
from ..core.pcm import interleave
from ..core.timeline import Piece, Span, Timeline, Track
from ..core.wav import MAX_WAV_DATA_BYTES, WAV_HEADER_BYTES, wav_header
from ..ports.objects import ObjectStore
from ..ports.recording import Recorded
from .losses import Losses
from .spool import FRAME_BYTES, Spool

__all__ = ("compose", "recording_keys")

_PIECE_FRAMES: Final = 8 * 1024
"""64 KiB in memory: 16 of each voice, 32 of both."""


async def compose(
    spool: Spool,
    objects: ObjectStore,
    *,
    losses: Losses,
    max_data_bytes: int = MAX_WAV_DATA_BYTES,
) -> Recorded:
    """Make the finished file of *spool* and return it; then nothing of the spool is left.

    Its owner's ``closed`` note says how long it is; without one it ends with its audio,
    and is partial. Done again after a crash it writes the same bytes to the same place.

    Raises:
        RecordingFailed: It could not be made, or not cleared away; the spool is still
            there, and let go.
    """
    try:
        recorded = await _written(spool, objects, losses, max_data_bytes)
        await to_thread.run_sync(spool.remove)
    except (OSError, StoreError) as error:
        raise RecordingFailed(f"the recording could not be finished: {error}") from error
    finally:
        spool.release()
    return recorded


async def recording_keys(objects: ObjectStore, session_id: str) -> tuple[str, ...]:
    """Return the keys of all finished recordings of the session.

    Raises:
        StoreError: They could not be listed.
    """
    prefix = f"sessions/{session_id}/audio"
    return tuple(found.key for found in await objects.find(prefix))


async def _written(
    spool: Spool, objects: ObjectStore, losses: Losses, max_data_bytes: int
) -> Recorded:
    tracks = tuple(Track) if spool.has(Track.AGENT) else (Track.USER,)
    timeline = _timeline(spool)
    audio_format = AudioFormat(sample_rate=timeline.sample_rate, channels=len(tracks))
    frames_a_file = max_data_bytes // audio_format.frame_bytes
    parts = [
        range(start, min(start + frames_a_file, timeline.file_frames))
        for start in range(0, timeline.file_frames, frames_a_file)
    ] or [range(0)]
    keys = await _settled_keys(spool, objects, len(parts))
    uris: list[str] = []
    for key, part in zip(keys, parts, strict=False):
        header = wav_header(audio_format, len(part) * audio_format.frame_bytes)
        pieces = timeline.pieces(at_most_frames=_PIECE_FRAMES, within=part)
        uris.append(await objects.put_pieces(key, _content(spool, tracks, header, pieces)))
    return Recorded(
        session_id=spool.notes.session_id,
        uri=uris[0],
        further_uris=tuple(uris[1:]),
        duration_us=timeline.file_duration_us,
        size_bytes=WAV_HEADER_BYTES * len(parts) + timeline.file_frames * audio_format.frame_bytes,
        tracks=tracks,
        partial=spool.notes.closed_us is None,
        gaps=losses.gaps,
        cuts=timeline.cuts,
        problems=losses.problems,
    )


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


async def _settled_keys(spool: Spool, objects: ObjectStore, count: int) -> tuple[str, ...]:
    """Choose names that nobody has, and note them, so that a second try takes the same."""
    keys = spool.notes.keys
    if len(keys) < count:
        session_id = spool.notes.session_id
        taken = {*await recording_keys(objects, session_id), *keys}
        free = (key for key in _names(session_id) if key not in taken)
        keys += tuple(next(free) for _ in range(count - len(keys)))
        spool.note_keys(keys)
    return keys


def _names(session_id: str) -> Iterator[str]:
    yield f"sessions/{session_id}/audio.wav"
    number = 2
    while True:
        yield f"sessions/{session_id}/audio-{number}.wav"
        number += 1


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
