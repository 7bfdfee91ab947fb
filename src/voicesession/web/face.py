"""What an application shows of its sessions, and where: made once, for whichever framework."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, TypeAlias

from attrs import frozen

from ..core.errors import InvalidConfig
from ..core.session import Session
from ..runtime.manager import SessionManager
from ..runtime.pipeline import Pipeline
from .auth.nobody import NobodyAsked
from .gate import Gate
from .options import WebOptions
from .principal import Authenticator
from .routes import SESSION_ROUTES, STANDING_ROUTES
from .routing import Route

__all__ = ("DEFAULT_PREFIXES", "Face", "Mounted", "PipelineMaker")

PipelineMaker: TypeAlias = Callable[[Session], Pipeline | Awaitable[Pipeline]]
"""Makes the engines and the agent of one conversation."""

DEFAULT_PREFIXES: Final = ("/v1/sessions",)

_A_PREFIX: Final = re.compile(r"(/[A-Za-z0-9_.~-]+)+")


@frozen(kw_only=True)
class Mounted:
    """A route at its place.

    Attributes:
        prefix: What stands in front of the route's own path.
        is_documented: It is shown in the OpenAPI document; under further prefixes the same
            routes are not.
    """

    route: Route
    prefix: str
    is_documented: bool

    @property
    def path(self) -> str:
        """Where it is."""
        return self.prefix + self.route.path


@frozen(kw_only=True)
class Face:
    """The sessions, the gate in front of them, and the engines for those who talk.

    Attributes:
        pipeline: None where nobody talks here: sessions are seen, not led.
        prefixes: Where the sessions are, the documented place first.
    """

    voice: SessionManager
    gate: Gate
    pipeline: PipelineMaker | None
    prefixes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        voice: SessionManager,
        *,
        pipeline: PipelineMaker | None,
        authenticator: Authenticator | None,
        prefixes: Sequence[str],
        options: WebOptions | None,
    ) -> Face:
        """Return a face; without an authenticator it is for this machine alone.

        Raises:
            InvalidConfig: A prefix is no path, there is none, or one comes twice.
        """
        for prefix in prefixes:
            if not _A_PREFIX.fullmatch(prefix):
                raise InvalidConfig("prefixes", prefix, "paths such as /v1/sessions")
        if not prefixes or len(set(prefixes)) < len(prefixes):
            raise InvalidConfig("prefixes", list(prefixes), "one or more, each once")
        gate = Gate(authenticator or NobodyAsked(), options or WebOptions())
        return cls(voice=voice, gate=gate, pipeline=pipeline, prefixes=tuple(prefixes))

    def mounted(self) -> Iterator[Mounted]:
        """Yield every route at every place."""
        for prefix in self.prefixes:
            for route in SESSION_ROUTES:
                yield Mounted(route=route, prefix=prefix, is_documented=prefix == self.prefixes[0])
        for route in STANDING_ROUTES:
            yield Mounted(route=route, prefix="", is_documented=True)
