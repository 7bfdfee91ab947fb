"""The sessions of a server, as methods: one for each thing that it can be asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from ..core.backoff import Backoff
from ..core.errors import InvalidConfig, InvalidValue
from ..schemas import requests
from ..schemas.belongings import SessionStats, SessionTask, TranscriptDocument
from ..schemas.journal import Event, Events
from ..schemas.messages import Config
from ..schemas.records import Deleted, SessionPage, SessionRecord, SessionRow
from ..schemas.requests import ListQuery, NewSession, SessionChanges
from ..schemas.rooms import RoomAnswer
from ..schemas.tickets import TicketAnswer
from . import operations
from .bookmark import Bookmark
from .budgets import Budgets
from .connection import Connection
from .downloads import Progress, download
from .following import follow, stretch
from .stream import Stream
from .templates import Templates

__all__ = ("VoiceClient",)

_PATIENT: Final = Backoff(retries=10, first_us=250_000, longest_us=5_000_000)
"""About 40 s: longer than a session waits for its client by default."""


class VoiceClient:
    """A server's sessions. Open it with ``async with``; it closes its connections itself.

    It runs on asyncio and Trio, but for `stream`, which runs on asyncio. Every method raises the
    errors of the library as the server tells them (`SessionNotFound`, `BudgetExhausted`, …),
    `Unreachable` where it does not answer, and `Unauthenticated` or `AccessDenied` where it does
    not want us.

    Args:
        url: Of the server: ``https://voice.example``.
        token: Of the caller, or
        api_key: of the caller. Neither is ever part of a URL, an error or a log line.
        tenant_id: Whose sessions are meant, for callers who may choose.
        prefix: The path of the sessions.
        patience_s: How long the server may be silent, in seconds.
        backoff: How often, and when, `stream`, `follow` and `download_audio` come back to a server
            that was lost.

    Raises:
        InvalidConfig: The URL is none, or there are both a token and a key.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        api_key: str | None = None,
        tenant_id: str | None = None,
        prefix: str = "/v1/sessions",
        patience_s: float = 30.0,
        backoff: Backoff = _PATIENT,
    ) -> None:
        self._connection = Connection(
            url,
            headers=_who(token, api_key),
            prefix=prefix,
            tenant_id=tenant_id,
            patience_s=patience_s,
        )
        self._backoff = backoff
        self.templates = Templates(self._connection)
        self.budgets = Budgets(self._connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._connection.aclose()

    # --- sessions ------------------------------------------------------------------------------

    async def create(
        self, wanted: NewSession | None = None, *, idempotency_key: str | None = None
    ) -> SessionRecord:
        """Return a new session; it ends if nobody connects to it in time.

        Args:
            idempotency_key: A name of your own for this call. Made again with it, after an
                `Unreachable` say, it returns the session of the first time.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        answer = await self._connection.ask(operations.CREATE, body=wanted, headers=headers)
        return answer.session

    async def find(self, query: ListQuery | None = None) -> SessionPage:
        """Return one page of sessions, the newest first unless *query* says otherwise."""
        return await self._connection.ask(operations.FIND, query=query)

    async def each(self, query: ListQuery | None = None) -> AsyncGenerator[SessionRow]:
        """Yield all sessions that *query* describes, page by page, as they are asked for."""
        wanted = ListQuery.model_validate({}) if query is None else query
        while True:
            page = await self.find(wanted)
            for row in page.sessions:
                yield row
            cursor = page.pagination.next_cursor
            if cursor is None:
                return
            said = wanted.model_dump(exclude_unset=True, exclude={"offset"})
            wanted = ListQuery.model_validate(said | {"cursor": cursor})

    async def get(self, session_id: str) -> SessionRecord:
        """Return a session; one that is over, too."""
        return (await self._connection.ask(operations.GET, _of(session_id))).session

    async def change(
        self, session_id: str, changes: SessionChanges, *, expected_seq: int | None = None
    ) -> SessionRecord:
        """Return a session as it is after *changes*.

        Args:
            expected_seq: Of the session that you have seen.

        Raises:
            VersionConflict: It is not at that seq any more; nothing was changed.
        """
        headers = {} if expected_seq is None else {"If-Match": f'"{expected_seq}"'}
        answer = await self._connection.ask(
            operations.CHANGE, _of(session_id), body=changes, headers=headers
        )
        return answer.session

    async def delete(self, session_id: str, *, end: bool = False) -> Deleted:
        """Delete a session with its words, audio and files.

        Args:
            end: It first, if it is active.
        """
        query = requests.DeleteQuery.model_validate({"end": end})
        return await self._connection.ask(operations.DELETE, _of(session_id), query=query)

    async def pause(self, session_id: str) -> SessionRecord:
        """Make a session stand still; whoever runs it follows within 5 s."""
        return (await self._connection.ask(operations.PAUSE, _of(session_id))).session

    async def resume(self, session_id: str) -> SessionRecord:
        """Take back a pause of the user's, or of a budget that has room again."""
        return (await self._connection.ask(operations.RESUME, _of(session_id))).session

    async def end(
        self, session_id: str, *, reason: Literal["completed", "cancelled", "error"] = "completed"
    ) -> SessionRecord:
        """End a session; one that is over stays as it is."""
        body = requests.EndCommand(reason=reason)
        return (await self._connection.ask(operations.END, _of(session_id), body=body)).session

    # --- what belongs to one ---------------------------------------------------------------------

    async def download_audio(
        self, session_id: str, path: Path | str, *, progress: Progress | None = None
    ) -> Path:
        """Write the recording to *path*, which is returned; nothing is there before it is whole.

        A download that is broken off, or cancelled, leaves a hidden ``….part`` beside it, which
        the next one of the same session goes on with.

        Args:
            progress: Is called with the bytes that are there, and how many there will be.

        Raises:
            NotFound: There is no recording, or none yet.
            OSError: The file cannot be written.
        """
        return await download(
            self._connection, session_id, Path(path), progress=progress, backoff=self._backoff
        )

    async def transcript(self, session_id: str, *, merge: bool = False) -> TranscriptDocument:
        """Return what was said so far.

        Args:
            merge: With the words of the sessions that this one continues, in front.
        """
        query = _words("json", merge=merge)
        return await self._connection.ask(operations.TRANSCRIPT, _of(session_id), query=query)

    async def captions(
        self,
        session_id: str,
        form: Literal["txt", "srt", "vtt"] = "txt",
        *,
        merge: bool = False,
    ) -> str:
        """Return what was said so far as text, or as captions; *merge* as for `transcript`."""
        query = _words(form, merge=merge)
        return await self._connection.text(operations.TRANSCRIPT, _of(session_id), query=query)

    async def events(self, session_id: str, *, after: int = 0, limit: int = 100) -> Events:
        """Return a stretch of the journal of a session: the events behind the seq *after*."""
        query = stretch(after=after, limit=limit)
        return await self._connection.ask(operations.EVENTS, _of(session_id), query=query)

    def follow(self, session_id: str, *, after: int = 0) -> AsyncGenerator[Event]:
        """Yield the events behind *after*, and those to come, each once, until the last one.

        A connection that is lost is made again. Close the generator, with
        `contextlib.aclosing`, if you leave it early.
        """
        return follow(self._connection, session_id, after=after, backoff=self._backoff)

    async def stats(self, session_id: str) -> SessionStats:
        """Return how a session does."""
        return await self._connection.ask(operations.STATS, _of(session_id))

    async def tasks(self, session_id: str) -> list[SessionTask]:
        """Return what is done for a session in the background, the oldest first."""
        return await self._connection.ask(operations.TASKS, _of(session_id))

    # --- ways in -----------------------------------------------------------------------------------

    def stream(
        self, session_id: str, *, config: Config | None = None, bookmark: Bookmark | None = None
    ) -> Stream:
        """Return the conversation with a session; connect by ``async with``. asyncio only.

        Args:
            config: What to be told.
            bookmark: Of an earlier stream of this session, to go on behind it. A session that
                has begun before lets nobody in without.
        """
        place = Bookmark(session_id=session_id) if bookmark is None else bookmark
        if place.session_id != session_id:
            raise InvalidValue("bookmark", "another session's", "one of this session")
        return Stream(self._connection, place, config or Config(), self._backoff)

    async def ticket(self, session_id: str) -> TicketAnswer:
        """Return a ticket that lets a browser into this session, within half a minute."""
        return await self._connection.ask(operations.TICKET, _of(session_id))

    async def start(self, wanted: requests.NewRoom) -> RoomAnswer:
        """Return a new session in a room of LiveKit's, and what its caller needs to enter it."""
        return await self._connection.ask(operations.START, body=wanted)

    async def refresh_token(self, session_id: str) -> RoomAnswer:
        """Return a fresh token for the room of a session."""
        return await self._connection.ask(operations.TOKEN, _of(session_id))

    async def ready(self) -> None:
        """Return if the server welcomes new sessions.

        Raises:
            Draining: It is leaving.
        """
        await self._connection.ask(operations.READY)


def _who(token: str | None, api_key: str | None) -> dict[str, str]:
    if token is not None and api_key is not None:
        raise InvalidConfig("api_key", "given", "a token, or a key")
    for name, value in (("token", token), ("api_key", api_key)):
        if value is not None and not (value.isascii() and value.isprintable() and value.strip()):
            raise InvalidConfig(name, "a secret that cannot be used", "printable ASCII characters")
    if token is not None:
        return {"Authorization": f"Bearer {token}"}
    return {} if api_key is None else {"X-API-Key": api_key}


def _of(session_id: str) -> dict[str, str]:
    return {"session_id": session_id}


def _words(form: Literal["json", "txt", "srt", "vtt"], *, merge: bool) -> requests.TranscriptQuery:
    return requests.TranscriptQuery.model_validate(
        {"format": form} | ({"merge": "linked"} if merge else {})
    )
