"""Plays OpenAI's three calls over HTTP: it chats by script, speaks and hears by a lexicon."""

from __future__ import annotations

import json
import socket
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, ClassVar, Self

from attrs import define, field, frozen
from tests.providers.wire.links import Fault, Refusal

from voicesession.core.wav import parse_wav_header
from voicesession.testing.scripted import Lexicon


@frozen
class Call:
    """A tool call in a scripted reply."""

    name: str
    arguments: str


@frozen
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: Any


@cache
def _loud_lexicon() -> Lexicon:
    # The first words of a lexicon are too quiet for a detector of real voices.
    lexicon = Lexicon()
    lexicon.speech(" ".join(f"filler{n}" for n in range(1_000)))
    return lexicon


@define
class OpenAIServer:
    """Serves at ``url``; what came in is kept for the test to look at."""

    url: str = ""
    replies: list[list[str | Call]] = field(factory=list)
    """What to answer to the next chats, piece by piece."""
    after_tools: list[str | Call] | None = None
    """What to answer to a chat that ends with what a tool said, if that is not the next."""
    fault: Fault | None = None
    refusal: Refusal | None = None
    ends: bool = True
    """Whether an answer says that it is over."""
    asked: list[Asked] = field(factory=list)
    lexicon: Lexicon = field(factory=_loud_lexicon)
    over: Event = field(factory=Event)

    @contextmanager
    def running(self) -> Generator[Self]:
        handler = type("Handler", (_Handler,), {"vendor": self})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = False
            self.url = f"http://127.0.0.1:{server.server_port}/v1"
            thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield self
            finally:
                self.over.set()
                server.shutdown()
                thread.join()

    def answer(self, asked: Asked) -> tuple[str, Iterator[bytes]]:
        """Return the kind of the answer and its pieces."""
        match asked.path.removeprefix("/v1"):
            case "/chat/completions":
                is_told = asked.body["messages"][-1]["role"] == "tool"
                if is_told and self.after_tools is not None:
                    return "text/event-stream", self._chat(self.after_tools)
                return "text/event-stream", self._chat(self.replies.pop(0))
            case "/audio/speech":
                return "audio/pcm", self._speak(asked.body["input"])
            case "/audio/transcriptions":
                return "application/json", iter([self._transcribe(asked.body["file"])])
            case path:
                raise AssertionError(path)

    def _chat(self, parts: list[str | Call]) -> Iterator[bytes]:
        calls = 0
        for part in parts:
            if isinstance(part, str):
                yield b": awake\n\n" + _chunk({"content": part})
            else:
                yield from _call(part, calls)
                calls += 1
        if self.ends:
            yield _chunk({}, finish="tool_calls" if calls else "stop")
            yield _event({**_HEAD, "choices": [], "usage": _USAGE})
            yield b"data: [DONE]\n\n"

    def _speak(self, text: str) -> Iterator[bytes]:
        # 20 ms for each character, in pieces that end inside a sample.
        pcm = b"\x00\x08" * (480 * len(text))
        yield from (pcm[at : at + 9_999] for at in range(0, len(pcm), 9_999))

    def _transcribe(self, wav: bytes) -> bytes:
        info = parse_wav_header(wav)
        samples = memoryview(wav[info.data_offset :]).cast("h")
        words: list[str] = []
        before = 0
        for sample in samples:
            if sample != before and (word := self.lexicon.word(sample)) is not None:
                words.append(word)
            before = sample
        return json.dumps({"text": " ".join(words)}).encode()


class _Handler(BaseHTTPRequestHandler):
    vendor: ClassVar[OpenAIServer]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = Asked(
            self.path,
            {name.lower(): value for name, value in self.headers.items()},
            self._body(self.rfile.read(int(self.headers["Content-Length"]))),
        )
        self.vendor.asked.append(asked)
        if (refusal := self.vendor.refusal) is not None:
            self.send_response(refusal.status)
            self.send_header("Content-Length", str(len(refusal.body.encode())))
            self.send_header("Connection", "close")
            if refusal.retry_after is not None:
                self.send_header("Retry-After", refusal.retry_after)
            self.end_headers()
            self.wfile.write(refusal.body.encode())
        elif self.vendor.fault is Fault.HANG:
            self.vendor.over.wait()
            self.close_connection = True
        else:
            self._stream(*self.vendor.answer(asked))

    def _stream(self, kind: str, pieces: Iterable[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            for count, piece in enumerate(pieces):
                if count == 1 and self.vendor.fault is not None and self._goes_wrong():
                    return
                self._chunk(piece)
            if self.vendor.fault is not None and self._goes_wrong():
                return
            self._chunk(b"")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has heard enough

    def _goes_wrong(self) -> bool:
        self.close_connection = True
        match self.vendor.fault:
            case Fault.CUT:
                self.connection.shutdown(socket.SHUT_RDWR)
            case Fault.DEAF:
                self.vendor.over.wait()
            case Fault.GARBAGE:
                self._chunk(b'data: {"choices": [{"delta"\n\n')
                self._chunk(b"")
            case Fault.STRANGE:
                self._chunk(b'data: {"choices": 7}\n\n')
                self._chunk(b"")
            case _:
                return False
        return True

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _body(self, content: bytes) -> Any:
        kind = self.headers["Content-Type"]
        if kind == "application/json":
            return json.loads(content)
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        form = message_from_bytes(head + content, policy=policy.HTTP)
        return {
            part.get_param("name", header="Content-Disposition"): (
                part.get_payload(decode=True) if part.get_filename() else part.get_content().strip()
            )
            for part in form.iter_parts()
        }

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
        """Say nothing: a test that fails shows what came in."""


_HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
_USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


def _event(told: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(told)}\n\n".encode()


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return _event({**_HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _call(call: Call, index: int) -> Iterator[bytes]:
    opening = {
        "index": index,
        "id": f"call_{index}",
        "type": "function",
        "function": {"name": call.name, "arguments": ""},
    }
    yield _chunk({"role": "assistant", "content": None, "tool_calls": [opening]})
    half = len(call.arguments) // 2
    for piece in (call.arguments[:half], call.arguments[half:]):
        yield _chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
