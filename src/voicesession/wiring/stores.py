"""
Which storage a URL means. An adapter's module is imported only when its scheme is asked for.

A package of somebody else's adds a scheme by an entry point in the group
``voicesession.stores``: its name is the scheme, and it is called with the URL::

    [project.entry-points."voicesession.stores"]
    mongodb = "voicesession_mongodb:storage_at"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from ..core.errors import InvalidConfig
from ..ports.storage import Storage

__all__ = ("ENTRY_POINTS", "storage_at")

ENTRY_POINTS: Final = "voicesession.stores"

_TTL: Final = "ttl_after_end_days"
_MOST_DAYS: Final = 36_500

StorageAt: TypeAlias = Callable[[str], Storage]


def storage_at(url: str) -> Storage:
    """Return the storage that *url* names, not opened yet.

    Raises:
        InvalidConfig: There is no such scheme, the URL lacks something, or an extra is not
            installed. No error repeats more of the URL than its scheme.
    """
    scheme = _split(url).scheme
    if scheme in _STORES:
        make, extra = _STORES[scheme]
        try:
            return make(url)
        except ModuleNotFoundError as error:
            raise InvalidConfig(
                "store",
                f"{scheme}://…, which needs {error.name}",
                f'after: pip install "voicesession[{extra}]"',
            ) from error
    others = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if scheme in others:
        made: Storage = others[scheme].load()(url)
        return made
    known = ", ".join(f"{name}://" for name in (*_STORES, *sorted(others)))
    raise InvalidConfig("store", f"{scheme}://…" if scheme else "no URL", known)


def _memory(_url: str) -> Storage:
    from ..stores.memory import MemoryStorage

    return MemoryStorage()


def _sqlite(url: str) -> Storage:
    from ..stores.sql.sqlite import SqliteStorage

    path = unquote(_split(url).path).removeprefix("/")
    if not path:
        raise InvalidConfig("store", "sqlite:// without a file", "sqlite:///file.db")
    return SqliteStorage(Path(path))


def _postgres(url: str) -> Storage:
    from ..stores.sql.postgres import PostgresStorage
    from ..stores.sql.revisions import UPGRADE

    address, word = _without(UPGRADE, url)
    if word not in (None, "true", "false"):
        raise InvalidConfig("store", f"{UPGRADE}={word}", f"{UPGRADE}=true or false")
    return PostgresStorage(address, upgrades=word == "true")


def _redis(url: str) -> Storage:
    from ..stores.documents import DocumentStorage
    from ..stores.documents.redis import RedisDocumentDriver

    address, days = _without(_TTL, url)
    return DocumentStorage(RedisDocumentDriver(address), ttl_after_end=_ttl_of(days))


def _firestore(url: str) -> Storage:
    from ..stores.documents import DocumentStorage
    from ..stores.documents.firestore import FirestoreDocumentDriver

    parts = _split(url)
    database = unquote(parts.path).strip("/") or "(default)"
    return DocumentStorage(FirestoreDocumentDriver(parts.netloc or None, database))


_STORES: Final[Mapping[str, tuple[StorageAt, str]]] = MappingProxyType(
    {
        "memory": (_memory, ""),
        "sqlite": (_sqlite, "sql"),
        "postgresql": (_postgres, "postgres"),
        "redis": (_redis, "redis"),
        "rediss": (_redis, "redis"),
        "firestore": (_firestore, "firestore"),
    }
)


def _ttl_of(days: str | None) -> timedelta | None:
    if days is None:
        return None
    if not (days.isascii() and days.isdigit() and 1 <= int(days) <= _MOST_DAYS):
        raise InvalidConfig("store", f"{_TTL}={days}", f"{_TTL}=1 to {_MOST_DAYS}")
    return timedelta(days=int(days))


def _without(option: str, url: str) -> tuple[str, str | None]:
    """Return *url* without an option of ours, which drivers do not know, and its value."""
    parts = _split(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    given = dict(options).get(option)
    if given is None:
        return url, None
    others = urlencode([pair for pair in options if pair[0] != option])
    return parts._replace(query=others).geturl(), given


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise InvalidConfig("store", "no URL", "a URL") from None
