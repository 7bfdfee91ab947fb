"""A session as a folder: its record, its journal, its words and its audio."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .failures import WrongUse
from .journals import journal_of_server, journal_of_store
from .records import session_and_words
from .remote import session_of_server

if TYPE_CHECKING:
    from ..client import VoiceClient
    from ..runtime.manager import SessionManager

__all__ = ("export_from_server", "export_from_store", "whole_folder")

_RECORD: Final = "session.json"
_JOURNAL: Final = "events.jsonl"
_WORDS: Final = "transcript.json"
_AUDIO: Final = "audio.wav"


@contextmanager
def whole_folder(path: Path) -> Generator[Path]:
    """Have a folder to write to, which is at *path* after the block; nowhere, if that fails.

    Raises:
        WrongUse: There is something at *path* already, or no folder to put it into.
    """
    if path.exists():
        raise WrongUse(f"{path}: this is there already")
    if not path.parent.is_dir():
        raise WrongUse(f"{path.parent}: there is no such folder")
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of one that was killed
    part.mkdir()
    try:
        yield part
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


async def export_from_store(voice: SessionManager, session_id: str, folder: Path) -> None:
    """Write what a store keeps of a session into *folder*; what there is not is no file."""
    import anyio

    session = await voice.get(session_id)
    found = session_and_words(session, await voice.transcript(session_id))
    if not session.store_transcript:
        found["transcript"] = None
    _write(folder, found, await journal_of_store(voice, session_id))
    if (kept := await voice.recordings.of(session)) is not None:
        async with await anyio.open_file(folder / _AUDIO, "wb") as file:
            async for piece in voice.recordings.read(kept):
                await file.write(piece)


async def export_from_server(client: VoiceClient, session_id: str, folder: Path) -> None:
    """Write what a server tells of a session into *folder*; what there is not is no file."""
    found = await session_of_server(client, session_id)
    _write(folder, found, await journal_of_server(client, session_id))
    if found["session"]["audio_uri"] is not None:
        await client.download_audio(session_id, folder / _AUDIO)


def _write(folder: Path, found: dict[str, Any], events: Iterable[dict[str, Any]]) -> None:
    _write_json(folder / _RECORD, found["session"])
    if found["transcript"] is not None:
        _write_json(folder / _WORDS, found["transcript"])
    lines = (f"{json.dumps(event, ensure_ascii=False)}\n" for event in events)
    (folder / _JOURNAL).write_text("".join(lines), encoding="utf-8")


def _write_json(path: Path, document: Any) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    path.write_text(f"{text}\n", encoding="utf-8")
