"""HTTP to OpenAI, or to a server that speaks as it does: who we are, and what its no means."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from functools import cache
from typing import Any, Final

import anyio

from ...core.errors import ProviderUnavailable
from .. import refusals
from ..account import account

try:
    import httpx2
except ImportError as error:
    raise ImportError('OpenAI engines need httpx2: pip install "voicesession[openai]"') from error

__all__ = ("HOME", "NAME", "Connection", "pieces_of")

NAME: Final = "openai"
HOME: Final = "https://api.openai.com/v1"
ENVIRONMENT: Final = "OPENAI"

_MOST_OF_A_REFUSAL: Final = 65_536


class Connection:
    """A pool of connections to one server, opened as they are needed. Asyncio and Trio."""

    def __init__(
        self, provider: str, *, api_key: str | None, base_url: str | None, patience_s: float
    ) -> None:
        """Connect nothing yet.

        Raises:
            InvalidConfig: The key is missing or cannot be one, or the address is none.
        """
        self.provider = provider
        self._patience_s = patience_s
        self._account = account(
            provider, api_key=api_key, base_url=base_url, home=HOME, environment=ENVIRONMENT
        )
        key = self._account.key
        self._client = httpx2.AsyncClient(
            base_url=self._account.base_url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=patience_s,
            verify=_trusted(),
        )

    @asynccontextmanager
    async def post(self, path: str, **request: Any) -> AsyncGenerator[httpx2.Response]:
        """Have the answer to a POST while it comes in; *request* is as for httpx2.

        Raises:
            ProviderError: The server refused, was not reached, fell silent or was cut off,
                before the answer or in its middle.
        """
        try:
            async with self._client.stream("POST", path, **request) as response:
                if not response.is_success:
                    raise refusals.refused(
                        self.provider,
                        response.status_code,
                        retry_after=response.headers.get("Retry-After"),
                        body=await _beginning(response),
                    )
                yield response
        except httpx2.TimeoutException as error:
            raise refusals.silent(self.provider, self._patience_s) from error
        except httpx2.ConnectError as error:
            raise ProviderUnavailable(self.provider, "cannot be reached") from error
        except httpx2.RequestError as error:
            raise refusals.closed(self.provider, None) from error

    async def aclose(self) -> None:
        """Close the pool. Twice is harmless."""
        await self._client.aclose()


@cache
def _trusted() -> ssl.SSLContext:
    # Whom to trust is read from the disk: once, and not for every engine.
    return httpx2.create_ssl_context()


async def pieces_of(response: httpx2.Response) -> AsyncGenerator[bytes]:
    """Yield the body as it comes in; close the generator to have no more of it."""
    body = response.aiter_bytes()
    try:
        async for piece in body:
            yield piece
    finally:
        # Beneath it lie more generators, which nobody closes with it. A cancelled read ends
        # them all, here and now, and not when the garbage collector comes by.
        with anyio.CancelScope() as scope:
            scope.cancel()
            while await anext(body, None) is not None:
                pass


async def _beginning(response: httpx2.Response) -> bytes:
    body = b""
    async with aclosing(pieces_of(response)) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) > _MOST_OF_A_REFUSAL:
                break
    return body
