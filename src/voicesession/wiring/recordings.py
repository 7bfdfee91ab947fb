"""Which recorder and which object store a place for recordings means."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from attrs import field, fields, frozen
from attrs.validators import optional

from ..core.errors import InvalidConfig
from ..core.identity import is_id
from ..ports.clock import Clock
from ..ports.objects import ObjectStore
from ..ports.recording import Recorder

__all__ = ("CHECKPOINT", "RecordingPlace", "recording_at")

CHECKPOINT: Final = timedelta(seconds=30)
"""How often a recording is shipped, unless the host has it otherwise."""

_SPOOL: Final = Path(".voicesession") / "spool"
_SWITCH: Final = MappingProxyType({"true": True, "false": False})
_OF_A_FOLDER: Final = "tenants and deployment"


@frozen
class RecordingPlace:
    """Where recordings and transcripts are kept, and who keeps them there.

    Attributes:
        recorder: None where none are kept; likewise *objects*.
        tenant_folders: Whether each tenant's lie in a folder of its own.
    """

    recorder: Recorder | None = None
    objects: ObjectStore | None = None
    tenant_folders: bool = False


def recording_at(
    place: str | os.PathLike[str] | None, clock: Clock, *, checkpoint: timedelta = CHECKPOINT
) -> RecordingPlace:
    """Return what records to *place* and keeps files there; nothing is opened yet.

    A folder keeps everything on this machine. ``s3://bucket/prefix?…`` ships what is being
    recorded there at each checkpoint. The options of both URLs are

    * ``tenants``: ``true`` gives each tenant a folder of its own;
    * ``deployment``: the name of this one of several that share the place. Each has a folder
      of its own there, and neither sees nor removes anything of another;

    and of a bucket ``spool``, the folder on a local disk where audio goes first,
    ``.voicesession/spool`` by default. For the others see
    `voicesession.recording.s3.S3ObjectStore.at`.

    Raises:
        InvalidConfig: There is no such place, or an extra is not installed.
        InvalidValue: Checkpoints would follow each other in less than 5 seconds, or the name
            of the deployment can be none of a folder.
    """
    if place is None:
        return RecordingPlace()
    text = os.fspath(place)
    scheme = urlsplit(text).scheme if "://" in text else None
    if scheme == "s3":
        return _in_s3(text, clock, checkpoint)
    if scheme == "file":
        chosen, rest = _chosen(text)
        if rest.query:
            raise InvalidConfig("recordings", "file:// with other options", _OF_A_FOLDER)
        return _in_folder(Path(unquote(rest.path)), chosen)
    if scheme is not None:
        raise InvalidConfig(
            "recordings", f"{scheme}://…", "a path, file:///path, or s3://bucket/prefix"
        )
    return _in_folder(Path(text), _Chosen())


def _in_folder(folder: Path, chosen: _Chosen) -> RecordingPlace:
    from ..recording.file import FileObjectStore
    from ..recording.recorder import SpoolRecorder

    root = folder if chosen.deployment is None else folder / chosen.deployment
    objects = FileObjectStore(root)
    recorder = SpoolRecorder(root / ".spool", objects)
    return RecordingPlace(recorder, objects, tenant_folders=chosen.has_tenants)


def _in_s3(url: str, clock: Clock, checkpoint: timedelta) -> RecordingPlace:
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

    chosen, rest = _chosen(url)
    spools = _SPOOL if chosen.spool is None else Path(chosen.spool)
    if chosen.deployment is not None:
        spools /= chosen.deployment
        rest = rest._replace(path=f"{rest.path.rstrip('/')}/{chosen.deployment}")
    objects = S3ObjectStore.at(rest.geturl())
    shipping = Shipping(clock=clock, checkpoint=checkpoint)
    recorder = SpoolRecorder(spools, objects, shipping=shipping)
    return RecordingPlace(recorder, objects, tenant_folders=chosen.has_tenants)


def _is_a_switch(_instance: object, attribute: Any, value: str) -> None:
    if value not in _SWITCH:
        raise InvalidConfig(attribute.name, value, " or ".join(_SWITCH))


@frozen(kw_only=True)
class _Chosen:
    """The options of a URL that are not the object store's."""

    tenants: str = field(default="false", validator=_is_a_switch)
    deployment: str | None = field(default=None, validator=optional(is_id))
    spool: str | None = None

    @property
    def has_tenants(self) -> bool:
        return _SWITCH[self.tenants]


def _chosen(url: str) -> tuple[_Chosen, SplitResult]:
    """Return what is ours of the options of *url*, and the URL without that."""
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    ours = {name: value for name, value in options if name in _OURS}
    others = [(name, value) for name, value in options if name not in _OURS]
    if len(ours) + len(others) < len(options):
        raise InvalidConfig("recordings", "an option twice", "each once")
    return _Chosen(**ours), parts._replace(query=urlencode(others))


_OURS: Final = frozenset(one.name for one in fields(_Chosen))
