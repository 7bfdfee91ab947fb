"""
One WebSocket to a vendor, without a task of its own.

Sending is a plain call: a caller's audio goes from the audio path straight into the
transport's buffer. The protocol is the sans-I/O half of `websockets`, driven from asyncio's
callbacks; so this runs on asyncio only. Messages are not compressed: audio does not shrink.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Mapping
from functools import cache
from typing import Final, cast

import anyio

from .._loop import require_asyncio
from ..core.errors import ProviderError, ProviderUnavailable
from . import refusals

try:
    from websockets.client import ClientProtocol
    from websockets.frames import Frame, Opcode
    from websockets.http11 import Response
    from websockets.protocol import State
    from websockets.uri import parse_uri
except ImportError as error:
    raise ImportError(
        'streaming speech engines need websockets: pip install "voicesession[deepgram]" '
        'or "voicesession[elevenlabs]"'
    ) from error

__all__ = ("WebSocketLink",)

MOST_UNSENT_BYTES: Final = 65_536
"""What may wait in the transport before `is_full`: 2 s of 16 kHz audio."""
MOST_UNREAD_BYTES: Final = 262_144
"""What may wait to be read; then the vendor waits, for whoever reads paces it."""
LARGEST_MESSAGE_BYTES: Final = 4 * 2**20
_CLOSE_S: Final = 0.2
"""How long a vendor may take to read our goodbye; then the connection is cut."""

# A logger of nobody: the protocol would log headers, which hold the key, and the voice itself.
_SILENT: Final = logging.Logger("silent", logging.CRITICAL + 1)  # noqa: LOG001 - see above


class WebSocketLink(asyncio.Protocol):
    """A WebSocket client. One task reads, and closes it; anybody on its loop may send."""

    def __init__(self, provider: str, url: str, headers: Mapping[str, str]) -> None:
        """Prepare a link; `open` makes one that works."""
        self._provider = provider
        self._protocol = ClientProtocol(
            parse_uri(url), max_size=LARGEST_MESSAGE_BYTES, logger=_SILENT
        )
        self._headers = headers
        self._transport: asyncio.Transport | None = None
        self._response: Response | None = None
        self._messages: deque[str | bytes] = deque()
        self._unread_bytes = 0
        self._fragments: list[Frame] = []
        self._news = asyncio.Event()
        self._is_lost = False
        self.is_full = False
        """Whether the vendor takes less than we send; `news` tells when it has room again."""

    @classmethod
    async def open(
        cls, provider: str, url: str, headers: Mapping[str, str], *, patience_s: float
    ) -> WebSocketLink:
        """Return an open link, owned and closed by the caller.

        Raises:
            ProviderError: The vendor refused, did not answer in *patience_s* or was not
                reached; ``retryable`` where that may pass.
            WrongEventLoop: This is not asyncio.
        """
        require_asyncio(provider)
        link = cls(provider, url, headers)
        try:
            with anyio.fail_after(patience_s):
                await link._connect()
        except BaseException as error:
            await link.aclose()
            if isinstance(error, OSError):
                raise _unreachable(provider, error, patience_s) from error
            raise
        return link

    def send(self, message: str | bytes) -> None:
        """Send *message*, as soon as the vendor takes it; a closed link forgets it."""
        if self._protocol.state is not State.OPEN:
            return
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._write()

    def take(self) -> str | bytes | None:
        """Return the next message, or None where there is none yet.

        Raises:
            ProviderError: There will be no more.
        """
        if self._messages:
            message = self._messages.popleft()
            self._count_unread(-len(message))
            return message
        if not self.is_open:
            raise self._failure()
        return None

    async def news(self) -> None:
        """Return when `take` may have something new to say, or somebody called `wake`."""
        await self._news.wait()
        self._news.clear()

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            ProviderError: There will be no more.
        """
        while (message := self.take()) is None:
            await self.news()
        return message

    def wake(self) -> None:
        """Have `news` return."""
        self._news.set()

    @property
    def is_open(self) -> bool:
        """Whether nobody has hung up yet, as far as is known here."""
        return self._protocol.state is State.OPEN and not self._is_lost

    def hang_up(self) -> None:
        """Say goodbye and close, and wait for nothing."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
            self._write()
        if self._transport is not None and not self._is_lost:
            self._transport.close()

    async def aclose(self) -> None:
        """Say goodbye and let go, without waiting for the vendor's own. Twice is harmless."""
        self.hang_up()
        if self._transport is not None and not self._is_lost:
            with anyio.CancelScope(shield=True):
                with anyio.move_on_after(_CLOSE_S):
                    await self._loss()
                self._transport.abort()
                await self._loss()

    async def _connect(self) -> None:
        uri = self._protocol.uri
        await asyncio.get_running_loop().create_connection(
            lambda: self,
            uri.host,
            uri.port,
            ssl=_trusted() if uri.secure else None,
            ssl_shutdown_timeout=_CLOSE_S if uri.secure else None,
        )
        while self._response is None and not self._is_lost:
            await self.news()
        if self._protocol.handshake_exc is not None or self._response is None:
            raise self._failure()

    def _failure(self) -> ProviderError:
        response, protocol = self._response, self._protocol
        if response is not None and response.status_code != 101:
            return refusals.refused(
                self._provider,
                response.status_code,
                retry_after=response.headers.get("Retry-After"),
                body=bytes(response.body or b""),
            )
        if protocol.close_rcvd is not None:
            return refusals.closed(
                self._provider, protocol.close_rcvd.code, protocol.close_rcvd.reason
            )
        trouble = protocol.handshake_exc and protocol.handshake_exc.__cause__
        if protocol.close_sent is not None or (trouble and not isinstance(trouble, EOFError)):
            return refusals.malformed(self._provider)
        return refusals.closed(self._provider, None)

    async def _loss(self) -> None:
        while not self._is_lost:
            await self.news()

    # --- what asyncio calls -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=MOST_UNSENT_BYTES)
        request = self._protocol.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._write()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._response = event
            elif isinstance(event, Frame):
                self._take_frame(event)
        self._write()
        self._news.set()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._write()
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - `take` tells why
        self._protocol.receive_eof()
        self._is_lost = True
        self._news.set()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        self._news.set()

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode not in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            return
        self._fragments.append(frame)
        if frame.fin:
            data = b"".join(bytes(fragment.data) for fragment in self._fragments)
            is_text = self._fragments[0].opcode is Opcode.TEXT
            self._fragments.clear()
            message = data.decode(errors="replace") if is_text else data
            self._messages.append(message)
            self._count_unread(len(message))

    def _count_unread(self, change: int) -> None:
        was_too_much = self._unread_bytes > MOST_UNREAD_BYTES
        self._unread_bytes += change
        is_too_much = self._unread_bytes > MOST_UNREAD_BYTES
        if is_too_much != was_too_much and self._transport is not None and not self._is_lost:
            (self._transport.pause_reading if is_too_much else self._transport.resume_reading)()

    def _write(self) -> None:
        transport = self._transport
        for data in self._protocol.data_to_send():
            if transport is None or transport.is_closing():
                continue
            if data:
                transport.write(data)
            elif transport.can_write_eof():
                transport.write_eof()


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()


def _unreachable(provider: str, error: OSError, patience_s: float) -> ProviderError:
    if isinstance(error, TimeoutError):
        return refusals.silent(provider, patience_s)
    if isinstance(error, ssl.SSLCertVerificationError):
        return ProviderError(provider, "its certificate is not trusted")
    return ProviderUnavailable(provider, f"cannot be reached: {type(error).__name__}")
