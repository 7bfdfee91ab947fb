"""
A recording as a file: whole under its name, or not there.

What has arrived lies in a part beside it, named after the session. A connection that breaks is
made again for the rest of it, now or by the next download.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import anyio
import httpx2

from ..core.backoff import Backoff
from ..core.identity import checked_id
from . import operations
from .connection import Connection
from .errors import RangeNotSatisfiable, Unreachable
from .patience import Patience

__all__ = ("Progress", "download")

Progress: TypeAlias = Callable[[int, int], None]
"""Told of the bytes that are there, and how many there will be."""

_PART: Final = 206
_REDIRECT: Final = range(300, 400)
_WHICH: Final = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})")


async def download(
    connection: Connection,
    session_id: str,
    path: Path,
    *,
    progress: Progress | None,
    backoff: Backoff,
) -> Path:
    """Write the recording to *path*; see `VoiceClient.download_audio`."""
    checked_id("session_id", session_id)
    part = anyio.Path(path.with_name(f".{path.name}.{session_id}.part"))
    patience = Patience(backoff)
    while True:
        there = await _size(part)
        try:
            await _go_on(connection, session_id, part, there, progress)
        except RangeNotSatisfiable:
            if not there:
                raise
            await part.unlink()  # it is longer than the file: a part of something else
        except Unreachable as error:
            if await _size(part) > there:
                patience.renew()
            await patience.wait_after(error)
        else:
            await part.replace(path)
            return path


async def _go_on(
    connection: Connection,
    session_id: str,
    part: anyio.Path,
    there: int,
    progress: Progress | None,
) -> None:
    """Add to *part* what is missing."""
    # The last byte is fetched again: so there always is a range, and a whole part is known by it.
    start = max(0, there - 1)
    headers = {"range": f"bytes={start}-", "accept-encoding": "identity"}
    values = {"session_id": session_id}
    async with connection.opened(operations.AUDIO, values, headers=headers) as response:
        if response.status_code not in _REDIRECT:
            await _write(response, part, progress)
            return
        url = response.headers["location"]
    async with connection.fetched(url, headers=headers) as response:
        await _write(response, part, progress)


async def _write(response: httpx2.Response, part: anyio.Path, progress: Progress | None) -> None:
    start, size = _extent(response)
    file = await part.open("r+b" if await part.exists() else "wb")
    try:
        await file.seek(start)
        await file.truncate()
        async for piece in response.aiter_bytes():
            await file.write(piece)
            start += len(piece)
            if progress is not None:
                progress(start, size)
    finally:
        with anyio.CancelScope(shield=True):
            await file.aclose()
    if start != size:
        raise Unreachable(f"{size - start} bytes of the recording are missing")


async def _size(part: anyio.Path) -> int:
    return (await part.stat()).st_size if await part.exists() else 0


def _extent(response: httpx2.Response) -> tuple[int, int]:
    """Where the answer begins in the file, and how long the file is."""
    try:
        if response.status_code != _PART:
            return 0, int(response.headers["content-length"])
        found = _WHICH.fullmatch(response.headers["content-range"])
        return (int(found[1]), int(found[2])) if found else _unknown()
    except (KeyError, ValueError):
        return _unknown()


def _unknown() -> tuple[int, int]:
    raise Unreachable("the server does not say how long the recording is")
