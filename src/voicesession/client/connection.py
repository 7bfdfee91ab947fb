"""HTTP to one server: where it is, who calls, and what its no means."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from ..core.errors import InvalidConfig, VoiceSessionError
from ..core.identity import checked_id
from ..schemas.problems import Problem
from .errors import RangeNotSatisfiable, Unreachable, error_of_problem
from .operations import Operation

try:
    import httpx2
except ImportError as error:
    raise ImportError('the client needs its extra: pip install "voicesession[client]"') from error

__all__ = ("Connection",)

A = TypeVar("A")

_MOST_OF_A_REFUSAL_BYTES: Final = 65_536
_SUCCESS_OR_REDIRECT: Final = range(200, 400)
_NO_SUCH_RANGE: Final = 416
_A_SERVER: Final = re.compile(r"https?://[^\s/@?#]+(/[^\s@?#]*)?")


class Connection:
    """A pool of connections to one server, opened as they are needed. Asyncio and Trio.

    Args:
        url: Of the server, without the path of its sessions.
        headers: Say who calls; sent to this server and to nobody else.
        prefix: The path of its sessions.
        tenant_id: Whose sessions are meant, for callers who may choose.
        patience_s: How long the server may be silent.

    Attributes:
        sessions: The address of its sessions.

    Raises:
        InvalidConfig: *url* or *prefix* is none.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        prefix: str,
        tenant_id: str | None,
        patience_s: float,
    ) -> None:
        if not _A_SERVER.fullmatch(url):
            # What it is instead is not repeated: it may hold a password.
            raise InvalidConfig("url", "what was given", "http(s)://host[:port][/path]")
        if not prefix.startswith("/"):
            raise InvalidConfig("prefix", prefix, "a path such as /v1/sessions")
        self.url = url.rstrip("/")
        self.headers = headers
        self.tenant_id = tenant_id
        self.patience_s = patience_s
        self.sessions = self.url + prefix.rstrip("/")
        self._prefix = prefix.rstrip("/")
        # Nothing of who calls is kept in the pool: it follows redirects to other servers.
        self._client = httpx2.AsyncClient(timeout=patience_s, verify=_trusted())

    async def aclose(self) -> None:
        """Close the pool. Twice is harmless."""
        await self._client.aclose()

    async def ask(
        self,
        operation: Operation[A],
        values: Mapping[str, str] | None = None,
        *,
        query: BaseModel | None = None,
        body: BaseModel | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> A:
        """Return the answer to *operation*.

        Args:
            values: What stands in the places of its path.
            query: Only what was set in it is said; so is *body*.

        Raises:
            InvalidValue: A value cannot stand in a path.
            Unreachable: The server did not answer, or not with what it should.
            VoiceSessionError: It said no; the class says why.
        """
        async with self.opened(
            operation, values, query=query, body=body, headers=headers
        ) as response:
            content = await response.aread()
        try:
            return operation.answer.validate_json(content)
        except ValidationError:  # its text repeats what was sent
            raise Unreachable(f"{self.url} does not answer as a voicesession server") from None

    async def text(
        self, operation: Operation[Any], values: Mapping[str, str], *, query: BaseModel
    ) -> str:
        """Return the answer to *operation* where it is text; arguments and errors as `ask`."""
        async with self.opened(operation, values, query=query) as response:
            return (await response.aread()).decode()

    @asynccontextmanager
    async def opened(
        self,
        operation: Operation[Any],
        values: Mapping[str, str] | None = None,
        *,
        query: BaseModel | None = None,
        body: BaseModel | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[httpx2.Response]:
        """Have an answer while it comes in; a redirect is not followed. Errors as `ask`."""
        kind = {} if body is None else {"content-type": "application/json"}
        request = self._client.build_request(
            operation.method,
            self.url + self.path(operation, values or {}),
            params=self._said(operation, query),
            content=None if body is None else body.model_dump_json(exclude_unset=True),
            headers={**self.headers, **kind, **(headers or {})},
        )
        async with self._sent(request) as response:
            yield response

    @asynccontextmanager
    async def fetched(
        self, url: str, *, headers: Mapping[str, str]
    ) -> AsyncGenerator[httpx2.Response]:
        """Have what lies at *url*, of whichever server; it is not told who we are."""
        async with self._sent(self._client.build_request("GET", url, headers=headers)) as response:
            yield response

    def path(self, operation: Operation[Any], values: Mapping[str, str]) -> str:
        """Return where *operation* is asked for.

        Raises:
            InvalidValue: A value cannot be an id.
        """
        places = {
            name: quote(checked_id(name, value), safe="") if name != "id" else _one_step(value)
            for name, value in values.items()
        }
        return operation.path.format(sessions=self._prefix, **places)

    # --- inside ------------------------------------------------------------------------------

    @asynccontextmanager
    async def _sent(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Response]:
        place = f"{request.url.scheme}://{request.url.host}"
        try:
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code not in _SUCCESS_OR_REDIRECT:
                    raise await _refusal(response, place)
                yield response
            finally:
                await response.aclose()
        except httpx2.TimeoutException as error:
            raise Unreachable(f"{place} was silent for {self.patience_s:g} s") from error
        except httpx2.ConnectError as error:
            raise Unreachable(f"{place} cannot be reached") from error
        except httpx2.RequestError as error:
            raise Unreachable(f"{place} broke off: {type(error).__name__}") from error

    def _said(self, operation: Operation[Any], query: BaseModel | None) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if query is not None:
            said = query.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        if self.tenant_id is not None and operation.of_a_tenant:
            said["tenant_id"] = self.tenant_id
        return said


@cache
def _trusted() -> ssl.SSLContext:
    # Whom to trust is read from the disk: once, and not for every client.
    return httpx2.create_ssl_context()


def _one_step(value: str) -> str:
    """An id of an account, which may be any name of a user, as one step of a path."""
    quoted = quote(value, safe="")
    return checked_id("id", value) if quoted == value else quoted


async def _refusal(response: httpx2.Response, place: str) -> VoiceSessionError:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _MOST_OF_A_REFUSAL_BYTES:
            break
    try:
        return error_of_problem(Problem.model_validate_json(body))
    except ValidationError:  # a proxy's, or an object store's
        if response.status_code == _NO_SUCH_RANGE:
            return RangeNotSatisfiable(None)
        return Unreachable(f"{place} answered {response.status_code}, and not why")
