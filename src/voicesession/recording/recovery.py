"""Recordings that nobody owns any more become what they would have been."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from anyio import to_thread

from ..core.errors import RecordingFailed
from ..core.timeline import Track
from ..ports.objects import ObjectStore
from ..ports.recording import RecoveryReport
from .composition import compose
from .losses import Losses
from .spool import Spool, claim_spool, left_spools, sweep

__all__ = ("recover",)


async def recover(
    root: Path, objects: ObjectStore, *, spare: Collection[str] = ()
) -> list[RecoveryReport]:
    """Finish every spool under *root* whose owner is gone; see ``Recorder.recover``."""
    reports: list[RecoveryReport] = []
    await to_thread.run_sync(sweep, root)
    for folder in await to_thread.run_sync(left_spools, root):
        if folder.name in spare:
            continue
        try:
            spool = await to_thread.run_sync(claim_spool, folder)
            if spool is not None:
                reports.append(await _recovered(spool, objects))
        except (RecordingFailed, OSError) as error:
            problem = str(error)
            reports.append(RecoveryReport(session_id=folder.name, recorded=None, problem=problem))
    return reports


async def _recovered(spool: Spool, objects: ObjectStore) -> RecoveryReport:
    notes = spool.notes
    if notes.closed_us is None and not any(map(spool.end_frame, Track)):
        try:
            await to_thread.run_sync(spool.remove)
        finally:
            spool.release()
        problem = "; ".join(f"{one.kind}: {one.detail}" for one in notes.problems)
        return RecoveryReport(session_id=notes.session_id, recorded=None, problem=problem or None)
    recorded = await compose(spool, objects, losses=Losses(notes.gaps, notes.problems))
    return RecoveryReport(session_id=notes.session_id, recorded=recorded)
