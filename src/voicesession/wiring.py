"""
The composition root: the one place that knows ports and adapters, and joins them.

URLs choose the parts. An adapter's module is imported only when its scheme is asked for,
so nobody pays for a driver that they do not use.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote, urlsplit

from .core.admission import AdmissionPolicy
from .core.deadlines import LifePolicy
from .core.errors import InvalidConfig
from .core.identity import DEFAULT_TENANT
from .ports.clock import Clock
from .ports.objects import ObjectStore
from .ports.recording import Recorder
from .ports.storage import Storage
from .runtime.clock import SystemClock
from .runtime.manager import SessionManager
from .runtime.services import Services

__all__ = ("open",)


def open(  # noqa: A001 - `voicesession.open` reads like what it does
    store: str = "memory://",
    *,
    recordings: str | os.PathLike[str] | None = None,
    tenant_id: str = DEFAULT_TENANT,
    clock: Clock | None = None,
    life: LifePolicy | None = None,
    admission: AdmissionPolicy | None = None,
    lease: timedelta = timedelta(seconds=15),
) -> SessionManager:
    """Return a manager of the sessions in *store*; nothing is opened before ``async with``.

    Args:
        store: ``memory://``, or ``sqlite:///file.db`` (``sqlite:////abs/file.db``).
        recordings: A folder, as a path or a ``file:///`` URL, for audio and transcripts;
            None keeps neither.
        tenant_id: Whose sessions; other tenants by ``for_tenant``.
        clock: The system's, unless time is turned by hand.
        life: How long a session may take for what.
        admission: How many sessions may be open at once.
        lease: For how long a worker that is not heard of keeps its sessions.

    Raises:
        InvalidConfig: A URL names no part that there is, or an extra is not installed.
    """
    recorder, objects = _recording(recordings)
    return SessionManager(
        Services(
            storage=_storage(store),
            recorder=recorder,
            objects=objects,
            clock=clock or SystemClock(),
            life=life or LifePolicy(),
            admission=admission or AdmissionPolicy(),
            lease=lease,
            worker_id=f"{socket.gethostname()}:{os.getpid()}",
        ),
        tenant_id=tenant_id,
    )


def _memory(_url: str) -> Storage:
    from .stores.memory import MemoryStorage

    return MemoryStorage()


def _sqlite(url: str) -> Storage:
    try:
        from .stores.sql import SqliteStorage
    except ModuleNotFoundError as error:
        raise _missing_extra("store", error, "sql") from error
    path = unquote(urlsplit(url).path).removeprefix("/")
    if not path:
        raise InvalidConfig("store", url, "sqlite:///file.db")
    return SqliteStorage(Path(path))


_STORES: Final[Mapping[str, Callable[[str], Storage]]] = MappingProxyType(
    {"memory": _memory, "sqlite": _sqlite}
)


def _storage(url: str) -> Storage:
    scheme = urlsplit(url).scheme
    if scheme not in _STORES:
        # The scheme alone: the rest of a URL may hold a password.
        known = ", ".join(f"{name}://" for name in _STORES)
        raise InvalidConfig("store", f"{scheme}://…" if scheme else "no URL", known)
    return _STORES[scheme](url)


def _recording(
    recordings: str | os.PathLike[str] | None,
) -> tuple[Recorder, ObjectStore] | tuple[None, None]:
    if recordings is None:
        return None, None
    from .recording.file import FileObjectStore
    from .recording.recorder import SpoolRecorder

    folder = _folder(os.fspath(recordings))
    objects = FileObjectStore(folder)
    return SpoolRecorder(folder / ".spool", objects), objects


def _folder(recordings: str) -> Path:
    parts = urlsplit(recordings)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if "://" in recordings:
        raise InvalidConfig("recordings", f"{parts.scheme}://…", "a path, or file:///path")
    return Path(recordings)


def _missing_extra(field: str, error: ModuleNotFoundError, extra: str) -> InvalidConfig:
    return InvalidConfig(
        field, f"one that needs {error.name}", f'after: pip install "voicesession[{extra}]"'
    )
