"""
A conversation with a session over however many connections it takes.

Every durable message is given out once, in order: whatever the line has lost is told again by
the server behind the last ``seq``, and what comes twice is left out here. There is no task
beneath: whoever reads or sends, and finds the line broken, makes another one.
"""

from __future__ import annotations

import json
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, get_args
from urllib.parse import quote, urlencode

import anyio
from attrs import evolve, field, frozen
from pydantic import BaseModel

from .._loop import require_asyncio
from ..core.backoff import Backoff
from ..core.errors import SessionNotActive, VoiceSessionError
from ..core.identity import checked_id
from ..schemas import messages
from ..schemas.messages import SERVER_MESSAGE, ServerMessage
from . import operations
from .bookmark import Bookmark
from .connection import Connection
from .line import Line, LineLost
from .patience import Patience

__all__ = ("AgentAudio", "Stream", "StreamItem")


@frozen(kw_only=True)
class AgentAudio:
    """A piece of the agent's voice, to be played behind the one before it: s16le, mono."""

    reply_id: int
    sample_rate: int
    pcm: bytes = field(repr=False)


StreamItem: TypeAlias = ServerMessage | AgentAudio

_KNOWN: Final = frozenset(
    model.model_fields["type"].default for model in get_args(get_args(ServerMessage)[0])
)
_IN_THE_URL: Final = {"interim_results", "word_timestamps"}


class Stream:
    """A conversation with one session; made by `VoiceClient.stream`. asyncio only.

    ``async with`` connects; a line that breaks before the session has begun is made again, too.
    ``async for`` yields messages and the agent's audio, and is over after ``session.end``;
    ``session.begin`` comes again with each connection. Read from one task; any task may send.
    Sending waits while the line is broken; what was on its way when it broke may be lost, but for
    the wish to end. Leaving without `end` lets the session wait for its client.

    Raises, from reading and sending alike:
        Unreachable: The server stayed away for too long.
        SessionAlreadyActive: Another connection has taken the session over.
        SessionNotActive: The session is over.
        VoiceSessionError: The server said no; the class says why.
    """

    def __init__(
        self, connection: Connection, bookmark: Bookmark, config: messages.Config, backoff: Backoff
    ) -> None:
        checked_id("session_id", bookmark.session_id)
        self._connection = connection
        self._config = config
        self._patience = Patience(backoff)
        self._repairing = anyio.Lock()
        self._line: Line | None = None
        self._told_of: Line | None = None
        self._reply: messages.ReplyBegin | None = None
        self._unacknowledged: int | None = None
        self._wants_end = False
        self._is_over = False
        self.bookmark = bookmark
        """Where its reader is. Give it to `VoiceClient.stream` to go on from there later."""

    async def __aenter__(self) -> Self:
        require_asyncio("a stream")
        try:
            self._line = await self._open()
        except LineLost as lost:
            self._line = await self._opened_after(lost)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._line is not None:
            await self._line.aclose()

    # --- what comes ------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamItem:
        if self._is_over:
            raise StopAsyncIteration
        await self._acknowledge()
        while True:
            line = self._open_line
            if line is not self._told_of:
                self._told_of, self._reply = line, None
                return line.begin
            try:
                frame = await line.receive()
            except LineLost as lost:
                await self._repair(line, lost)
                continue
            self._patience.renew()
            item = self._take(frame, line)
            if item is not None:
                return item

    # --- what is said ------------------------------------------------------------------------------

    async def send_audio(self, frame: bytes) -> None:
        """Send audio of the caller, as the session was created with, in a frame of any size."""
        await self._send(frame)

    async def send_text(self, text: str) -> None:
        """Send a typed turn."""
        await self._say(messages.Text(text=text))

    async def configure(self, config: messages.Config) -> None:
        """Change what is told, on this connection and those to come."""
        said = self._config.model_dump(exclude_none=True) | config.model_dump(exclude_none=True)
        self._config = messages.Config(**said)
        await self._say(config)

    async def flush(self) -> None:
        """Have the final words of what was said so far, without waiting for a silence."""
        await self._say(messages.Flush())

    async def clear(self) -> None:
        """Take back what is being said just now."""
        await self._say(messages.Clear())

    async def interrupt(self) -> None:
        """Take the floor from the agent."""
        await self._say(messages.Interrupt())

    async def pause(self) -> None:
        """Stand still."""
        await self._say(messages.Pause())

    async def resume(self) -> None:
        """Go on."""
        await self._say(messages.Resume())

    async def set_consent(self, consent: bool | None) -> None:
        """Answer "may we record you?"; a refusal deletes what was recorded."""
        await self._say(messages.Consent(recording_consent=consent))

    async def played(self, reply_id: int, played_ms: int) -> None:
        """Report how much of a reply was played, from its beginning; the rest was not heard."""
        await self._say(messages.Playout(reply_id=reply_id, played_ms=played_ms))

    async def end(self) -> None:
        """Have the session end, over whichever connection; read on until ``session.end``."""
        self._wants_end = True
        with suppress(SessionNotActive):
            await self._say(messages.End())

    # --- inside --------------------------------------------------------------------------------------

    @property
    def _open_line(self) -> Line:
        if self._line is None:
            raise SessionNotActive("the stream is not open: async with")
        return self._line

    def _take(self, frame: str | bytes, line: Line) -> StreamItem | None:
        """Return what is to be given out of *frame*; from here on it has been."""
        if isinstance(frame, bytes):
            reply = self._reply
            if reply is None:
                return None
            return AgentAudio(reply_id=reply.reply_id, sample_rate=reply.sample_rate, pcm=frame)
        message = _read(frame)
        if message is None:
            return None
        if isinstance(message, messages.ErrorOccurred):
            line.complained(message)
        elif isinstance(message, messages.ReplyBegin):
            self._reply = message
        elif isinstance(message, messages.ReplyEnd):
            self._reply = None
        elif isinstance(message, messages.SessionEnd):
            self._is_over = True
            return message
        if self.bookmark.is_behind(message):
            return None
        self.bookmark, before = self.bookmark.moved(message), self.bookmark
        if self.bookmark is not before:
            self._unacknowledged = self.bookmark.last_seq
        return message

    async def _acknowledge(self) -> None:
        if self._unacknowledged is not None:
            seq, self._unacknowledged = self._unacknowledged, None
            with suppress(LineLost):  # whoever comes back tells it anyway
                await self._open_line.say(messages.Ack(seq=seq))

    async def _say(self, message: BaseModel) -> None:
        await self._send(
            message.model_dump_json(exclude_none=not isinstance(message, messages.Consent))
        )

    async def _send(self, frame: str | bytes) -> None:
        while True:
            line = self._open_line
            if self._is_over:
                raise SessionNotActive("the session is over")
            try:
                await line.send(frame)
            except LineLost as lost:
                if lost.is_end:
                    raise SessionNotActive("the session is over") from lost
                await self._repair(line, lost)
            else:
                return

    async def _repair(self, broken: Line, lost: LineLost) -> None:
        """Have another line in the place of *broken*."""
        async with self._repairing:
            if self._line is broken:
                self._line = await self._opened_after(lost)
        await broken.aclose()

    async def _opened_after(self, lost: LineLost) -> Line:
        """Return a line, as soon as there is one again."""
        while True:
            await self._patience.wait_after(lost.error)
            try:
                await self._be_known()
                return await self._open()
            except LineLost as again:
                lost = again

    async def _be_known(self) -> None:
        """Have a token: the session may have begun on a line that has not lived to tell."""
        if self.bookmark.resume_token:
            return
        values = {"session_id": self.bookmark.session_id}
        try:
            answer = await self._connection.ask(operations.TICKET, values)
        except VoiceSessionError as error:
            raise LineLost(error) from error
        self.bookmark = evolve(self.bookmark, resume_token=answer.resume_token)

    async def _open(self) -> Line:
        line = await Line.open(
            self._url(),
            self._connection.headers,
            self.bookmark,
            patience_s=self._connection.patience_s,
        )
        self.bookmark = self.bookmark.begun(line.begin)
        if self._config.playout is not None:
            await line.say(messages.Config(playout=self._config.playout))
        if self._wants_end:
            await line.say(messages.End())
        return line

    def _url(self) -> str:
        said: dict[str, Any] = self._config.model_dump(
            mode="json", exclude_none=True, include=_IN_THE_URL
        )
        query = {name: str(value).lower() for name, value in said.items()}
        if self._connection.tenant_id is not None:
            query["tenant_id"] = self._connection.tenant_id
        place = f"{self._connection.sessions}/{quote(self.bookmark.session_id, safe='')}/stream"
        return f"ws{place.removeprefix('http')}{'?' if query else ''}{urlencode(query)}"


def _read(frame: str) -> ServerMessage | None:
    """Return the message; None if it is one of a newer server."""
    try:
        if json.loads(frame)["type"] not in _KNOWN:
            return None
        return SERVER_MESSAGE.validate_json(frame)
    except (ValueError, TypeError, KeyError):
        raise VoiceSessionError("the server has sent what is no message of its own") from None
