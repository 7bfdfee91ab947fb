"""Which recorder and which object store a place for recordings means."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from ..core.errors import InvalidConfig
from ..ports.clock import Clock
from ..ports.objects import ObjectStore
from ..ports.recording import Recorder

__all__ = ("CHECKPOINT", "recording_at")

CHECKPOINT: Final = timedelta(seconds=30)
"""How often a recording is shipped, unless the host has it otherwise."""

_SPOOL: Final = Path(".voicesession") / "spool"


def recording_at(
    place: str | os.PathLike[str] | None, clock: Clock, *, checkpoint: timedelta = CHECKPOINT
) -> tuple[Recorder, ObjectStore] | tuple[None, None]:
    """Return what records to *place* and keeps files there; nothing is opened yet.

    A folder keeps everything on this machine. ``s3://bucket/prefix?…`` ships what is being
    recorded there at each checkpoint; its option ``spool`` names the folder on a local disk
    where audio goes first, ``.voicesession/spool`` by default. For the others see
    `voicesession.recording.s3.S3ObjectStore.at`.

    Raises:
        InvalidConfig: There is no such place, or an extra is not installed.
        InvalidValue: Checkpoints would follow each other in less than 5 seconds.
    """
    if place is None:
        return None, None
    text = os.fspath(place)
    if text.startswith("s3://"):
        return _in_s3(text, clock, checkpoint)
    return _in_folder(_folder(text))


def _in_folder(folder: Path) -> tuple[Recorder, ObjectStore]:
    from ..recording.file import FileObjectStore
    from ..recording.recorder import SpoolRecorder

    objects = FileObjectStore(folder)
    return SpoolRecorder(folder / ".spool", objects), objects


def _in_s3(url: str, clock: Clock, checkpoint: timedelta) -> tuple[Recorder, ObjectStore]:
    try:
        from ..recording.s3 import S3ObjectStore
    except ModuleNotFoundError as error:
        raise InvalidConfig(
            "recordings",
            f"s3://…, which needs {error.name}",
            'after: pip install "voicesession[s3]"',
        ) from error
    from ..recording.recorder import SpoolRecorder
    from ..recording.shipping import Shipping

    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    spool = next((value for name, value in options if name == "spool"), None)
    others = urlencode([(name, value) for name, value in options if name != "spool"])
    objects = S3ObjectStore.at(parts._replace(query=others).geturl())
    spools = _SPOOL if spool is None else Path(spool)
    shipping = Shipping(clock=clock, checkpoint=checkpoint)
    return SpoolRecorder(spools, objects, shipping=shipping), objects


def _folder(place: str) -> Path:
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if "://" in place:
        raise InvalidConfig(
            "recordings", f"{parts.scheme}://…", "a path, file:///path, or s3://bucket/prefix"
        )
    return Path(place)
