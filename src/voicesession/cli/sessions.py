"""``voicesession sessions``: look at what a store keeps, and remove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias
from urllib.parse import urlsplit

import typer

from ..core.identity import DEFAULT_TENANT
from .failures import Debug, reported
from .opening import Json, Store, Tenant, ask, print_json

if TYPE_CHECKING:
    from ..core.session import Session
    from ..core.transcript import Transcript
    from ..ports.storage import Page
    from ..runtime.manager import SessionManager

__all__ = ("sessions",)

sessions: Final = typer.Typer(
    help="List, show and delete the sessions of a store.", no_args_is_help=True
)

_SessionId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", show_default=False)]


@sessions.command("list")
def list_sessions(  # noqa: PLR0913  # one parameter for each option, as typer wants them
    *,
    store: Store,
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

    async def find(voice: SessionManager) -> Page:
        return await voice.find(limit=limit, **filters)

    with reported(debug=debug):
        page = ask(store, tenant, None, find)
        if as_json:
            print_json(_page_document(page, limit))
        else:
            _print_page(page)


@sessions.command("get")
def get_session(
    session_id: _SessionId,
    *,
    store: Store,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show one session and what was said in it."""

    async def get(voice: SessionManager) -> tuple[Session, Transcript]:
        return await voice.get(session_id), await voice.transcript(session_id)

    with reported(debug=debug):
        session, transcript = ask(store, tenant, None, get)
        if as_json:
            print_json(_session_and_words(session, transcript))
        else:
            _print_session(session, transcript)


@sessions.command("delete")
def delete_session(  # noqa: PLR0913  # one parameter for each option, as typer wants them
    session_id: _SessionId,
    *,
    store: Store,
    recordings: Annotated[
        str | None,
        typer.Option(
            envvar="VOICESESSION_RECORDINGS",
            help="Where its files lie; needed only where its own record does not say so.",
        ),
    ] = None,
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

    with reported(debug=debug):
        session = ask(store, tenant, None, get)
        if not yes:
            typer.confirm(f"Delete {session.id} ({session.status})?", abort=True, err=True)
        ask(store, tenant, recordings or _recordings_of(session), delete)
        if as_json:
            print_json({"deleted": True, "session_id": session.id})
        else:
            print(f"deleted {session.id}")


def _recordings_of(session: Session) -> str | None:
    """The folder that the files of *session* lie in, as its record tells it."""
    for uri in filter(None, (session.audio_uri, session.transcript_uri)):
        folder, found, _ = uri.rpartition(f"/sessions/{session.id}/")
        if found and urlsplit(uri).scheme == "file":
            return folder
    return None


# --- what is printed ---------------------------------------------------------------------


def _page_document(page: Page, limit: int) -> dict[str, Any]:
    from .records import session_document

    return {
        "sessions": [session_document(session) for session in page.sessions],
        "pagination": {
            "limit": limit,
            "next_cursor": page.next_cursor,
            "has_more": page.next_cursor is not None,
        },
    }


def _session_and_words(session: Session, transcript: Transcript) -> dict[str, Any]:
    from ..core.transcript import SessionTranscript, transcript_document
    from .records import session_document

    words = SessionTranscript(
        session_id=session.id,
        language=session.language,
        duration_us=session.audio_duration_us,
        transcript=transcript,
    )
    return {"session": session_document(session), "transcript": transcript_document(words)}


def _print_page(page: Page) -> None:
    for session in page.sessions:
        started = session.started_at or session.created_at
        print(
            f"{session.id:<37}  {session.state:<10}  {session.status:<11}"
            f"  {started:%Y-%m-%d %H:%M:%S}Z  {session.audio_duration_seconds:8.2f} s"
            f"  {session.word_count:5} words  {session.user_id or '-'}"
        )
    if not page.sessions:
        print("no sessions")
    if page.next_cursor:
        print(f"more: --cursor {page.next_cursor}")


def _print_session(session: Session, transcript: Transcript) -> None:
    from .records import session_document
    from .timeline import clock_face

    for name, value in session_document(session).items():
        if value not in (None, "", [], {}):
            print(f"{name:<24}{value}")
    for utterance in transcript.utterances:
        cut = "  (interrupted)" if utterance.interrupted else ""
        at = clock_face(utterance.start_us)
        print(f"{at}  {utterance.speaker:<6}{utterance.text}{cut}")
