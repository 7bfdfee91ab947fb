"""
A call and its answer, as endpoints see them: no framework, no socket.

An adapter turns what its framework has received into a `Request`, and an `Answer` into what
its framework sends.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from attrs import field, frozen
from pydantic_core import to_json

from ..runtime.manager import SessionManager
from .forwarding import Origin
from .options import WebOptions
from .principal import Principal, Reach
from .streams import Streams
from .tickets import Passes

__all__ = ("JSON", "Answer", "Call", "Request", "json_answer")

JSON: Final = "application/json"

Q = TypeVar("Q")
B = TypeVar("B")


@frozen(kw_only=True)
class Request:
    """What has been received, without its body.

    Attributes:
        values: What stands in the variable places of the path.
        query: Name and value of each parameter, in order.
        headers: By their names in lower case.
        origin: Under which address the caller sees us, and where the call comes from.
        peer: The address at the other end of the connection: the caller's, or a proxy's.
        mount: Of the routes that are called, such as ``/v1/sessions``.
    """

    method: str
    values: Mapping[str, str] = field(factory=dict[str, str])
    query: Sequence[tuple[str, str]] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    origin: Origin
    peer: str | None = None
    mount: str = ""


@frozen(kw_only=True)
class Call(Generic[Q, B]):
    """A request that may be served: it is known who calls, and what they say has been read.

    Attributes:
        voice: The sessions of the tenant that is meant.
        principal: Who calls; somebody without any scope, where nobody is asked.
        reach: For whose sessions they may do what they ask for; NONE, where nobody is asked.
        streams: Counts those that are open, of all callers.
        passes: Signs what lets a WebSocket in.
        body: What it says, as the route's model; or as it came, where the route reads it raw.
    """

    voice: SessionManager
    principal: Principal
    reach: Reach
    request: Request
    options: WebOptions
    streams: Streams
    passes: Passes
    query: Q
    body: B


@frozen(kw_only=True)
class Answer:
    """What is sent back.

    Attributes:
        content: Whole, or piece by piece; whoever sends it takes all pieces or closes it.
        media_type: Nothing, where there is no content.
    """

    content: bytes | AsyncGenerator[bytes] = b""
    status: int = 200
    media_type: str = JSON
    headers: Mapping[str, str] = field(factory=dict[str, str])


def json_answer(
    document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return *document* as JSON."""
    return Answer(content=to_json(document), status=status, headers=headers or {})
