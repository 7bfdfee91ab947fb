"""``voicesession sessions``: look at what a store or a server keeps, take it along, remove it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias
from urllib.parse import urlsplit

import typer

from ..core.identity import DEFAULT_TENANT, checked_id
from .failures import Debug, WrongUse, reported
from .opening import Json, Tenant, ask, print_json
from .remote import Server, Token, ask_server, page_of_server, session_of_server
from .shown import print_record

if TYPE_CHECKING:
    from ..client import VoiceClient
    from ..core.journal import JournalEntry
    from ..core.session import Session
    from ..runtime.manager import SessionManager
    from ..schemas.records import Deleted, SessionRecord

__all__ = ("sessions",)

_US_PER_S: Final = 1_000_000

sessions: Final = typer.Typer(
    help="List, show, export, replay and delete the sessions of a store, or of a server.",
    no_args_is_help=True,
)

_Store: TypeAlias = Annotated[
    str | None,
    typer.Option(envvar="VOICESESSION_STORE", help="Where sessions live: sqlite:///file.db"),
]
_Journal: TypeAlias = tuple[dict[str, Any], list[dict[str, Any]]]
"""A record, and the events that have led to it."""
_Recordings: TypeAlias = Annotated[
    str | None,
    typer.Option(
        envvar="VOICESESSION_RECORDINGS",
        help="Where its files lie; needed only where its own record does not say so.",
    ),
]
_SessionId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", show_default=False)]


@sessions.command("list")
def list_sessions(  # noqa: PLR0913  # one parameter for each option, as typer wants them
    *,
    store: _Store = None,
    server: Server = None,
    token: Token = None,
    tenant: Tenant = DEFAULT_TENANT,
    state: Annotated[
        str | None, typer.Option(help="IDLE, CONNECTING, LIVE, PAUSED or ENDED.")
    ] = None,
    status: Annotated[
        str | None, typer.Option(help="active, completed, interrupted or error.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="Only this user's.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many, up to 100.")] = 50,
    cursor: Annotated[
        str | None, typer.Option(help="Go on behind a page: its next_cursor.")
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List sessions, the newest first."""
    filters: dict[str, Any] = {"state": state, "status": status, "user_id": user, "cursor": cursor}

    async def find(voice: SessionManager) -> dict[str, Any]:
        from .records import page_document

        return page_document(await voice.find(limit=limit, **filters), limit)

    async def find_at_server(client: VoiceClient) -> dict[str, Any]:
        return await page_of_server(client, filters | {"limit": limit})

    with reported(debug=debug):
        if server is not None:
            page = ask_server(server, token, tenant, find_at_server)
        else:
            page = ask(_named(store), tenant, None, find)
        if as_json:
            print_json(page)
        else:
            _print_page(page)


@sessions.command("get")
def get_session(
    session_id: _SessionId,
    *,
    store: _Store = None,
    server: Server = None,
    token: Token = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show one session and what was said in it."""

    async def get(voice: SessionManager) -> dict[str, Any]:
        from .records import session_and_words

        session = await voice.get(session_id)
        return session_and_words(session, await voice.transcript(session_id))

    async def get_at_server(client: VoiceClient) -> dict[str, Any]:
        return await session_of_server(client, session_id)

    with reported(debug=debug):
        if server is not None:
            found = ask_server(server, token, tenant, get_at_server)
        else:
            found = ask(_named(store), tenant, None, get)
        if as_json:
            print_json(found)
        else:
            _print_session(found)


@sessions.command("export")
def export_session(  # noqa: PLR0913  # one parameter for each option, as typer wants them
    session_id: _SessionId,
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A new folder; the id, if not given.")
    ] = None,
    store: _Store = None,
    server: Server = None,
    token: Token = None,
    recordings: _Recordings = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a session into a new folder: its record, journal, words and audio."""
    from .exports import export_from_server, whole_folder

    with reported(debug=debug):
        path = out or Path(checked_id("session_id", session_id))
        with whole_folder(path) as folder:
            if server is not None:
                ask_server(
                    server, token, tenant, lambda at: export_from_server(at, session_id, folder)
                )
            else:
                _export_from_store(_named(store), tenant, recordings, session_id, folder)
        files = sorted(str(file) for file in path.iterdir())
        if as_json:
            print_json({"session_id": session_id, "folder": str(path), "files": files})
        else:
            print("\n".join(files))


@sessions.command("replay")
def replay_session(
    session_id: _SessionId,
    *,
    store: _Store = None,
    server: Server = None,
    token: Token = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Go through the journal of a session again, and compare where it leads with the record."""
    from .journals import check_record, journal_of_server, journal_of_store, replayed

    async def read(voice: SessionManager) -> _Journal:
        from .records import session_document

        record = session_document(await voice.get(session_id))
        return record, await journal_of_store(voice, session_id)

    async def read_at_server(client: VoiceClient) -> _Journal:
        record = (await client.get(session_id)).model_dump(mode="json")
        return record, await journal_of_server(client, session_id)

    with reported(debug=debug):
        if server is not None:
            record, events = ask_server(server, token, tenant, read_at_server)
        else:
            record, events = ask(_named(store), tenant, None, read)
        known = events[: record["seq"]]  # a session that goes on may have gone further meanwhile
        steps = list(replayed(known, created_at=record["created_at"]))
        check_record(record, steps[-1][1] if steps else None)
        if as_json:
            print_json({"session_id": session_id, "steps": [_step(*step) for step in steps]})
        else:
            _print_steps([_step(*step) for step in steps])


@sessions.command("delete")
def delete_session(  # noqa: PLR0913  # one parameter for each option, as typer wants them
    session_id: _SessionId,
    *,
    store: _Store = None,
    server: Server = None,
    token: Token = None,
    recordings: _Recordings = None,
    tenant: Tenant = DEFAULT_TENANT,
    end: Annotated[bool, typer.Option("--end", help="End it first, if it is active.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Delete a session with its words, audio and files. Nothing brings it back."""

    async def get(voice: SessionManager) -> Session:
        return await voice.get(session_id)

    async def delete(voice: SessionManager) -> None:
        await voice.delete(session_id, end=end, reason="cli")

    async def get_at_server(client: VoiceClient) -> SessionRecord:
        return await client.get(session_id)

    async def delete_at_server(client: VoiceClient) -> Deleted:
        return await client.delete(session_id, end=end)

    with reported(debug=debug):
        if server is not None:
            _confirm(ask_server(server, token, tenant, get_at_server), yes=yes)
            ask_server(server, token, tenant, delete_at_server)
        else:
            place = _named(store)
            session = ask(place, tenant, None, get)
            _confirm(session, yes=yes)
            ask(place, tenant, recordings or _recordings_of(session), delete)
        if as_json:
            print_json({"deleted": True, "session_id": session_id})
        else:
            print(f"deleted {session_id}")


def _export_from_store(
    store: str, tenant: str, recordings: str | None, session_id: str, folder: Path
) -> None:
    from .exports import export_from_store

    session = ask(store, tenant, None, lambda voice: voice.get(session_id))
    place = recordings or _recordings_of(session)
    ask(store, tenant, place, lambda voice: export_from_store(voice, session_id, folder))


def _named(store: str | None) -> str:
    if store is None:
        raise WrongUse("name a store, by --store or VOICESESSION_STORE, or a --server")
    return store


def _confirm(session: Session | SessionRecord, *, yes: bool) -> None:
    if not yes:
        typer.confirm(f"Delete {session.id} ({session.status})?", abort=True, err=True)


def _recordings_of(session: Session) -> str | None:
    """The folder that the files of *session* lie in, as its record tells it."""
    for uri in filter(None, (session.audio_uri, session.transcript_uri)):
        folder, found, _ = uri.rpartition(f"/sessions/{session.id}/")
        if found and urlsplit(uri).scheme == "file":
            return folder
    return None


# --- what is printed ---------------------------------------------------------------------


def _print_page(page: dict[str, Any]) -> None:
    for session in page["sessions"]:
        started = datetime.fromisoformat(session["started_at"] or session["created_at"])
        print(
            f"{session['id']:<37}  {session['state']:<10}  {session['status']:<11}"
            f"  {started:%Y-%m-%d %H:%M:%S}Z  {session['audio_duration_seconds']:8.2f} s"
            f"  {session['word_count']:5} words  {session['user_id'] or '-'}"
        )
    if not page["sessions"]:
        print("no sessions")
    if cursor := page["pagination"]["next_cursor"]:
        print(f"more: --cursor {cursor}")


def _step(entry: JournalEntry, session: Session) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "at": entry.event.at.isoformat(),
        "type": entry.type,
        "state": session.state,
        "pause_reasons": sorted(session.pause_reasons),
    }


def _print_steps(steps: list[dict[str, Any]]) -> None:
    for step in steps:
        at = datetime.fromisoformat(step["at"])
        reasons = ", ".join(step["pause_reasons"])
        line = f"{step['seq']:>5}  {at:%Y-%m-%d %H:%M:%S}Z  {step['type']:<22}{step['state']}"
        print(f"{line}  {reasons}".rstrip())
    print("the record says the same")


def _print_session(found: dict[str, Any]) -> None:
    from .timeline import clock_face

    print_record(found["session"])
    for utterance in (found["transcript"] or {"utterances": ()})["utterances"]:
        cut = "  (interrupted)" if utterance.get("interrupted") else ""
        at = clock_face(round(utterance["start"] * _US_PER_S))
        print(f"{at}  {utterance['speaker']:<6}{utterance['text']}{cut}")
