"""Of a session that nobody records any more, every byte of audio goes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from anyio import to_thread

from ..core.results import SessionFolder
from ..ports.objects import ObjectStore, UnfinishedUploads
from .composition import recording_keys
from .segments import SegmentFolder
from .spool import remove_spool

__all__ = ("purge",)


async def purge(spools: Path, objects: ObjectStore, folder: SessionFolder) -> None:
    """Leave no spool, no segment, no file and no half-made upload of this session in *folder*.

    Raises:
        SpoolIsOwned: Somebody else is recording it.
        OSError: The spool could not be removed.
        StoreError: Something in the object store could not be removed.
    """
    # What could be finished by others goes first.
    await SegmentFolder(objects, folder).throw_away()
    await to_thread.run_sync(remove_spool, spools / "open" / folder.session_id)
    if isinstance(objects, UnfinishedUploads):
        ever = datetime.max.replace(tzinfo=UTC)
        for upload in await objects.unfinished_uploads(str(folder), begun_before=ever):
            await objects.abort_upload(upload)
    for key in await recording_keys(objects, folder):
        await objects.delete(key)
