"""What every command needs that works on a store: its options, and the store itself."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

import typer

from .failures import WrongUse

if TYPE_CHECKING:
    from ..core.deadlines import LifePolicy
    from ..runtime.manager import SessionManager

__all__ = ("LEASE", "Json", "Recordings", "Store", "Tenant", "ask", "print_json", "require_file")

_T = TypeVar("_T")

LEASE: Final = timedelta(seconds=15)

Store: TypeAlias = Annotated[
    str, typer.Option(envvar="VOICESESSION_STORE", help="Where sessions live: sqlite:///file.db")
]
Recordings: TypeAlias = Annotated[
    str | None,
    typer.Option(envvar="VOICESESSION_RECORDINGS", help="Where audio and transcripts lie."),
]
Tenant: TypeAlias = Annotated[str, typer.Option(help="Whose sessions.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def ask(
    store: str,
    tenant: str,
    recordings: str | None,
    question: Callable[[SessionManager], Awaitable[_T]],
    *,
    life: LifePolicy | None = None,
    lease: timedelta = LEASE,
) -> _T:
    """Return what *question* answers about the store.

    Args:
        life: How long a session may take for what, for commands that look after sessions.
        lease: For so long the sessions that nobody runs are left alone meanwhile.

    Raises:
        WrongUse: The store is a file that is not there.
    """
    import anyio

    async def in_store() -> _T:
        async with _opened(store, tenant, recordings, life, lease) as voice:
            return await question(voice)

    return anyio.run(in_store)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON object, on one line."""
    print(json.dumps(document, ensure_ascii=False))


@asynccontextmanager
async def _opened(
    store: str,
    tenant: str,
    recordings: str | None,
    life: LifePolicy | None,
    lease: timedelta,
) -> AsyncGenerator[SessionManager]:
    from ..core.deadlines import LifePolicy
    from ..wiring import open as open_voice

    voice = open_voice(
        store,
        recordings=recordings,
        tenant_id=tenant,
        life=life or LifePolicy(),
        lease=lease,
    )
    require_file(store)
    async with voice:
        yield voice


def require_file(store: str) -> None:
    """Do nothing if the store is no file, or one that is there.

    Raises:
        WrongUse: It is a file that is not there.
    """
    # Who only looks does not make a database by a slip of the pen.
    parts = urlsplit(store)
    path = Path(unquote(parts.path).removeprefix("/"))
    if parts.scheme == "sqlite" and not path.is_file():
        raise WrongUse(f"{path}: there is no such store")
