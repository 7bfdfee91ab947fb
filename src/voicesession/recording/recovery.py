"""Recordings that nobody owns any more become what they would have been."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from anyio import to_thread
from attrs import field, frozen

from ..core.audio import AudioFormat
from ..core.errors import RecordingFailed, StoreError
from ..core.results import ROOTS, SessionFolder
from ..core.timeline import Track
from ..ports.clock import Clock
from ..ports.objects import ObjectStore, UnfinishedUploads
from ..ports.recording import Leftover, LeftoverKind, LeftRecording, RecoveryReport
from .composition import compose, recorded_in, recording_keys
from .losses import Losses
from .segments import NOTES, SEGMENTS, SegmentFolder, objects_below
from .spool import Spool, SpoolIsOwned, claim_spool, left_spools, open_spool, sweep

__all__ = ("Recovery",)

_RUBBISH_AGE: Final = timedelta(hours=24)
_Rubbish: TypeAlias = tuple[Leftover, Callable[[], Awaitable[None]]]
"""And what removes it."""


@frozen
class _Unfinished:
    """What the store has of one recording that is not finished."""

    has_notes: bool = False
    kept_at: datetime = field(default=datetime.min.replace(tzinfo=UTC))


class Recovery:
    """Finds what was left, on this disk and in the object store, and finishes it."""

    def __init__(self, spools: Path, objects: ObjectStore, *, clock: Clock | None) -> None:
        """Prepare; touches nothing yet.

        Args:
            clock: None where nothing is ever shipped: the object store is not looked through.
        """
        self._spools = spools
        self._objects = objects
        self._clock = clock

    async def find(self) -> list[LeftRecording]:
        """See ``Recorder.find_left``.

        Raises:
            StoreError: The object store could not be listed.
        """
        found: dict[str, LeftRecording | None] = {}
        for folder in await to_thread.run_sync(left_spools, self._spools):
            found[folder.name] = await to_thread.run_sync(_left_in, folder)
        for place, state in (await self._unfinished()).items():
            session_id = place.session_id
            here = found.get(session_id)
            if state.has_notes and (here is not None or session_id not in found):
                found[session_id] = await self._left_in_store(place, state.kept_at, here)
        return [left for _, left in sorted(found.items()) if left is not None]

    async def finish(
        self, only: Collection[SessionFolder] | None = None, *, spare: Collection[str] = ()
    ) -> list[RecoveryReport]:
        """Finish it, or *only* these, but for those to *spare*; see ``Recorder.recover``.

        Raises:
            StoreError: The object store could not be listed; nothing was done.
        """
        wanted = None if only is None else {place.session_id for place in only}

        def is_wanted(session_id: str) -> bool:
            return session_id not in spare and (wanted is None or session_id in wanted)

        unfinished = await self._unfinished(only)
        reports: dict[str, RecoveryReport | None] = {}
        await to_thread.run_sync(sweep, self._spools)
        for folder in await to_thread.run_sync(left_spools, self._spools):
            if is_wanted(folder.name):
                reports[folder.name] = await self._attempt(
                    folder.name, self._finish_spool(folder.name)
                )
        for place, state in unfinished.items():
            session_id = place.session_id
            if not is_wanted(session_id) or session_id in reports:
                continue
            if state.has_notes:
                reports[session_id] = await self._attempt(session_id, self._finish_segments(place))
        return [report for report in reports.values() if report is not None]

    async def find_leftovers(self) -> list[Leftover]:
        """See ``Recorder.find_leftovers``.

        Raises:
            StoreError: Something could not be listed.
        """
        return [leftover for leftover, _ in await self._rubbish()]

    async def sweep(self) -> list[Leftover]:
        """See ``Recorder.sweep``.

        Raises:
            StoreError: Something could not be listed or removed.
        """
        swept: list[Leftover] = []
        for leftover, remove in await self._rubbish():
            await remove()
            swept.append(leftover)
        return swept

    async def _rubbish(self) -> list[_Rubbish]:
        if self._clock is None:
            return []
        long_ago = self._clock.now() - _RUBBISH_AGE
        return [*await self._old_uploads(long_ago), *await self._old_segments(long_ago)]

    async def _old_uploads(self, begun_before: datetime) -> list[_Rubbish]:
        store = self._objects
        if not isinstance(store, UnfinishedUploads):
            return []
        return [
            (
                Leftover(kind=LeftoverKind.UPLOAD, key=upload.key, since=upload.begun_at),
                partial(store.abort_upload, upload),
            )
            for root in ROOTS
            for upload in await store.unfinished_uploads(root, begun_before=begun_before)
        ]

    async def _old_segments(self, kept_before: datetime) -> list[_Rubbish]:
        return [
            (
                Leftover(kind=LeftoverKind.SEGMENTS, key=str(place), since=state.kept_at),
                SegmentFolder(self._objects, place).throw_away,
            )
            for place, state in (await self._unfinished()).items()
            # Segments without notes are no recording; but somebody may be at it.
            if not state.has_notes and state.kept_at < kept_before
        ]

    # --- one recording -----------------------------------------------------------------------

    async def _attempt(
        self, session_id: str, finish: Awaitable[RecoveryReport | None]
    ) -> RecoveryReport | None:
        try:
            return await finish
        except SpoolIsOwned:
            return None
        except (RecordingFailed, StoreError, OSError) as error:
            return RecoveryReport(session_id=session_id, recorded=None, problem=str(error))

    async def _finish_spool(self, session_id: str) -> RecoveryReport | None:
        spool = await to_thread.run_sync(claim_spool, self._spools / "open" / session_id)
        if spool is None:
            return None
        try:
            return await self._finished(spool)
        finally:
            spool.release()

    async def _finish_segments(self, place: SessionFolder) -> RecoveryReport | None:
        session_id = place.session_id
        segments = SegmentFolder(self._objects, place)
        shipped = await segments.look()
        if shipped is None:
            return None
        if shipped.notes.made is not None or not shipped.segments:
            await segments.tidy()
            made = shipped.notes.made
            recorded = None if made is None else recorded_in(shipped.notes, made)
            return RecoveryReport(session_id=session_id, recorded=recorded)
        rate_hz = shipped.notes.sample_rate
        spool = await to_thread.run_sync(open_spool, self._spools, place, rate_hz)
        try:
            return await self._finished(spool)
        except RecordingFailed:
            if await segments.look() is not None:
                raise
            return await self._finish_spool(session_id)  # another worker was faster
        finally:
            spool.release()

    async def _finished(self, spool: Spool) -> RecoveryReport:
        notes = spool.notes
        segments = SegmentFolder(self._objects, notes.folder) if self._ships else None
        if not (segments and await segments.look()) and await self._has_nothing(spool):
            await to_thread.run_sync(spool.remove)
            problem = "; ".join(f"{one.kind}: {one.detail}" for one in notes.problems)
            return RecoveryReport(
                session_id=notes.session_id, recorded=None, problem=problem or None
            )
        losses = Losses(notes.gaps, notes.problems)
        recorded = await compose(spool, self._objects, losses=losses, segments=segments)
        return RecoveryReport(session_id=notes.session_id, recorded=recorded)

    async def _has_nothing(self, spool: Spool) -> bool:
        """Whether there is nothing to make of *spool*, of which there are no segments."""
        notes = spool.notes
        if notes.first_frame is None:
            is_copy = any(map(spool.end_frame, Track))
            return is_copy or notes.closed_us is None
        if notes.checkpoint is None:
            return False
        # It was shipped, and the segments are gone: whoever removed them has made the file.
        return bool(await recording_keys(self._objects, notes.folder))

    # --- what there is -----------------------------------------------------------------------

    @property
    def _ships(self) -> bool:
        return self._clock is not None

    async def _unfinished(
        self, only: Collection[SessionFolder] | None = None
    ) -> dict[SessionFolder, _Unfinished]:
        """Look through the listing of all sessions; in memory is only what is not finished."""
        found: dict[SessionFolder, _Unfinished] = {}
        prefixes = ROOTS if only is None else tuple(map(str, only))
        for prefix in prefixes if self._ships else ():
            async for kept in objects_below(self._objects, prefix):
                place, name = SessionFolder.of(kept.key) or (None, "")
                if place is not None and name.startswith(SEGMENTS):
                    known = found.get(place, _Unfinished())
                    found[place] = _Unfinished(
                        has_notes=known.has_notes or name == NOTES,
                        kept_at=max(known.kept_at, kept.kept_at),
                    )
        return found

    async def _left_in_store(
        self, place: SessionFolder, kept_at: datetime, here: LeftRecording | None
    ) -> LeftRecording | None:
        try:
            shipped = await SegmentFolder(self._objects, place).look()
        except RecordingFailed:
            duration_us = 0
        else:
            if shipped is None:
                return here
            audio_format = AudioFormat(sample_rate=shipped.notes.sample_rate)
            duration_us = audio_format.time_of(shipped.end_frame)
        return LeftRecording(
            session_id=place.session_id,
            tenant_id=place.tenant_id,
            duration_us=duration_us if here is None else max(duration_us, here.duration_us),
            is_on_this_disk=here is not None and here.is_on_this_disk,
            shipped_at=kept_at,
        )


def _left_in(folder: Path) -> LeftRecording | None:
    """What is in a spool that nobody owns; None where somebody does, or it is gone."""
    duration_us, tenant_id = 0, None
    with suppress(RecordingFailed, OSError):  # told when it is to be finished
        spool = claim_spool(folder)
        if spool is None:
            return None
        audio_format = AudioFormat(sample_rate=spool.notes.sample_rate)
        duration_us = audio_format.time_of(max(map(spool.end_frame, Track)))
        tenant_id = spool.notes.folder.tenant_id
        spool.release()
    return LeftRecording(
        session_id=folder.name,
        tenant_id=tenant_id,
        duration_us=duration_us,
        is_on_this_disk=True,
        shipped_at=None,
    )
