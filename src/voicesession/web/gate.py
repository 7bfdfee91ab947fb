"""
What every call passes: who is it, how often do they call, may they, what do they say.

Whatever goes wrong on the way, or behind it, comes out as an answer that says so in plain words
and gives nothing away.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncIterable, Generator
from contextlib import contextmanager
from typing import Any, Final

import anyio
from attrs import evolve

from ..core.errors import AccessDenied, SessionNotFound, TemplateNotFound, VoiceSessionError
from ..ports.clock import Clock
from ..runtime.clock import SystemClock
from ..runtime.manager import SessionManager
from ..schemas.refusals import NotFound, RangeNotSatisfiable, RequestTimeout, TooLarge
from ..schemas.requests import Whose
from .access import FOREIGN
from .call import Answer, Call, Request, json_answer
from .options import WebOptions
from .parsing import body_as, query_as
from .principal import (
    Authenticator,
    Credentials,
    Principal,
    Reach,
    Unauthenticated,
)
from .rates import RateLimiter
from .routing import Route
from .statuses import PROBLEM_TYPE, problem_of, retry_after_s, status_of
from .streams import Streams
from .tickets import Passes

__all__ = ("Gate",)

logger = logging.getLogger("voicesession.web")

SECURITY_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""With every answer: it is somebody's words, and nothing that a page may build upon."""

_NOBODY: Final = Principal(tenant_id="nobody")


class Gate:
    """One for all calls of an application; adapters bring them here.

    Attributes:
        streams: Counts those that are open.
        passes: Signs what lets a client in without a header, and lets it come back.

    Args:
        authenticator: Knows the callers.
        clock: Tells how much time lies between two calls.

    Raises:
        InvalidConfig: The secret of *options* is too short.
    """

    def __init__(
        self, authenticator: Authenticator, options: WebOptions, *, clock: Clock | None = None
    ) -> None:
        self.options = options
        self._authenticator = authenticator
        self._clock = clock or SystemClock()
        self._limiter = None if options.rate is None else RateLimiter(options.rate)
        self.streams = Streams(options.max_streams, options.max_streams_each)
        self.passes = Passes(options.secret, clock=self._clock)

    # --- who calls ---------------------------------------------------------------------------

    async def admit(self, credentials: Credentials, *, caller: str | None) -> Principal:
        """Return who it is.

        Args:
            caller: The address that attempts with bad credentials are counted for.

        Raises:
            Unauthenticated: Nobody is known by these credentials.
            AccessDenied: Somebody is, and may not come in.
            RateLimited: They call too often, or have tried too often.
        """
        with self.attempt(caller):
            principal = await self._authenticator.authenticate(credentials)
        if not principal.any_tenant:
            self._count(principal.caller)
        return principal

    @contextmanager
    def attempt(self, caller: str | None) -> Generator[None]:
        """Count for the address *caller* what is refused in the block.

        Raises:
            RateLimited: It was refused too often.
        """
        try:
            yield
        except (Unauthenticated, AccessDenied):
            self._count(f"at {caller}")
            raise

    async def principal_of(self, request: Request) -> Principal:
        """Return who has sent *request*; see `admit`."""
        credentials = Credentials(headers=request.headers, client_host=request.peer)
        return await self.admit(credentials, caller=request.origin.client_host)

    def _count(self, caller: str) -> None:
        if self._limiter is not None:
            self._limiter.take(caller, at_us=self._clock.monotonic_us())

    def sessions_of(
        self, voice: SessionManager, principal: Principal, *said: object
    ) -> SessionManager:
        """Return the sessions of the tenant that is meant: the caller's own, if they may not choose.

        Args:
            voice: The manager of any tenant.
            said: By the caller; some of it may name a tenant.

        Raises:
            NotFound: They name another one.
            AccessDenied: The same, where the host wants it told.
        """
        named = {one.tenant for one in said if isinstance(one, Whose)} - {None}
        own = voice.tenant_id if principal.any_tenant else principal.tenant_id
        if len(named) <= 1 and (principal.any_tenant or named <= {own}):
            meant = next(filter(None, named), own)
            return voice if meant == voice.tenant_id else voice.for_tenant(meant)
        if self.options.reveal_foreign:
            raise AccessDenied(FOREIGN)
        raise NotFound("there is nothing of that tenant here")

    # --- what they want ------------------------------------------------------------------------

    async def serve(
        self,
        route: Route,
        request: Request,
        body: AsyncIterable[bytes],
        voice: SessionManager,
        principal: Principal | None,
    ) -> Answer:
        """Return the answer to *request*, whatever happens.

        Args:
            body: As it comes; it is read only where the route takes one.
            voice: The manager of any tenant.
            principal: None where nobody is asked who they are.
        """
        try:
            said = await self._whole(request, body) if route.takes_body else b""
            call = self._call(route, request, said, voice, principal or _NOBODY)
            answer = await route.endpoint(call)
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller gets an answer
            told = await self._revealed(error, voice)
            return self.refuse(told, what=route.name)
        return _secured(answer)

    def refuse(self, error: Exception, *, what: str = "a call") -> Answer:
        """Return the answer that tells of *error*; what is our own fault is logged.

        Args:
            what: Was asked for.
        """
        status = status_of(error).http
        if status == 500 or not isinstance(error, VoiceSessionError):
            logger.error("%s failed: %s", what, _place(error))
        headers: dict[str, str] = {}
        if (wait_s := retry_after_s(error)) is not None:
            headers["retry-after"] = str(wait_s)
        if isinstance(error, Unauthenticated):
            headers["www-authenticate"] = "Bearer"
        if isinstance(error, RangeNotSatisfiable) and error.size_bytes is not None:
            headers["content-range"] = f"bytes */{error.size_bytes}"
        answer = json_answer(problem_of(error), status=status, headers=headers)
        return _secured(evolve(answer, media_type=PROBLEM_TYPE))

    # --- inside --------------------------------------------------------------------------------

    async def _whole(self, request: Request, body: AsyncIterable[bytes]) -> bytes:
        """The body; of one that is too large, what comes behind the limit is not read."""
        most = self.options.max_body_bytes
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:19]) > most:
            raise TooLarge(f"a body has at most {most} bytes")
        within_s = self.options.body_within.total_seconds()
        whole = bytearray()
        with anyio.move_on_after(within_s):
            async for piece in body:
                whole += piece
                if len(whole) > most:
                    raise TooLarge(f"a body has at most {most} bytes")
            return bytes(whole)
        raise RequestTimeout(f"a body comes within {within_s:g} s")

    def _call(
        self,
        route: Route,
        request: Request,
        said: bytes,
        voice: SessionManager,
        principal: Principal,
    ) -> Call[Any, Any]:
        reach = principal.require(*route.permissions) if route.permissions else Reach.NONE
        query = query_as(route.query, request.query)
        media_type = request.headers.get("content-type", "")
        body = said if route.reads_raw else body_as(route.body, said, media_type)
        return Call(
            voice=self.sessions_of(voice, principal, query, body) if route.permissions else voice,
            principal=principal,
            reach=reach,
            request=request,
            options=self.options,
            streams=self.streams,
            passes=self.passes,
            query=query,
            body=body,
        )

    async def _revealed(self, error: Exception, voice: SessionManager) -> Exception:
        """What is hidden because it is another tenant's, as a host may want it told."""
        is_hidden = False
        if self.options.reveal_foreign:
            if isinstance(error, SessionNotFound):
                is_hidden = await voice.is_known(error.session_id)
            elif isinstance(error, TemplateNotFound):
                is_hidden = await voice.templates.is_known(error.template_id)
        return AccessDenied(FOREIGN) if is_hidden else error


def _secured(answer: Answer) -> Answer:
    return evolve(answer, headers={**SECURITY_HEADERS, **answer.headers})


def _place(error: Exception) -> str:
    """What went wrong and where, without the error's own words: they may be somebody's."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
