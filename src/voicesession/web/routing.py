"""What a row of the table of routes says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from attrs import field, frozen
from pydantic import BaseModel

from ..schemas import requests
from .call import Answer, Call
from .principal import Permission

__all__ = ("ADMIN", "ANYBODY", "READ", "USAGE", "WRITE", "Endpoint", "Route")

Endpoint: TypeAlias = Callable[[Call[Any, Any]], Awaitable[Answer]]

READ: Final = frozenset({Permission.READ})
WRITE: Final = frozenset({Permission.WRITE})
USAGE: Final = frozenset({Permission.WRITE, Permission.USAGE})
ADMIN: Final = frozenset({Permission.ADMIN})
ANYBODY: Final[frozenset[Permission]] = frozenset()


@frozen(kw_only=True)
class Route:
    """One thing that can be done.

    Attributes:
        name: Unique; what it is called in the OpenAPI document.
        methods: The first one is the one that is documented.
        path: Behind a prefix for sessions; as it stands for the others.
        permissions: Any one of them lets a caller in; none: nobody is asked who they are.
        answer: The model of a JSON answer.
        reads_raw: Its endpoint reads the body by itself, whatever it is.
        media_types: What else, or instead, comes back.
        headers: What a caller may say in them, by name.
        errors: Statuses beyond those that every call may have.
    """

    name: str
    methods: tuple[str, ...]
    path: str
    endpoint: Endpoint
    permissions: frozenset[Permission]
    query: type[BaseModel] = requests.Query
    body: type[BaseModel] = requests.Nothing
    reads_raw: bool = False
    status: int = 200
    answer: Any = None
    media_types: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(factory=dict[str, str])
    errors: tuple[int, ...] = ()
    tag: str = "sessions"

    @property
    def summary(self) -> str:
        """The first line of what its endpoint says of itself."""
        return (self.endpoint.__doc__ or "").partition("\n")[0].rstrip(".")

    @property
    def description(self) -> str:
        """What its endpoint says of itself."""
        lines = (self.endpoint.__doc__ or "").strip().splitlines()
        return "\n".join(line.strip() for line in lines)

    @property
    def takes_body(self) -> bool:
        """Whether anything may be said in a body."""
        return self.reads_raw or self.body is not requests.Nothing
