"""Of a session that nobody records any more, every byte of audio goes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from anyio import to_thread

from ..core.results import session_folder
from ..ports.objects import ObjectStore, UnfinishedUploads
from .composition import recording_keys
from .segments import SegmentFolder
from .spool import remove_spool

__all__ = ("purge",)


async def purge(spools: Path, objects: ObjectStore, session_id: str) -> None:
    """Leave no spool, no segment, no file and no half-made upload of this session.

    Raises:
        SpoolIsOwned: Somebody else is recording it.
        OSError: The spool could not be removed.
        StoreError: Something in the object store could not be removed.
    """
    # What could be finished by others goes first.
    await SegmentFolder(objects, session_id).throw_away()
    await to_thread.run_sync(remove_spool, spools / "open" / session_id)
    if isinstance(objects, UnfinishedUploads):
        ever = datetime.max.replace(tzinfo=UTC)
        folder = session_folder(session_id)
        for upload in await objects.unfinished_uploads(folder, begun_before=ever):
            await objects.abort_upload(upload)
    for key in await recording_keys(objects, session_id):
        await objects.delete(key)
