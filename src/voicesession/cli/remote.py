"""The sessions of a server that runs elsewhere, as the commands show them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import typer

from ..core.identity import DEFAULT_TENANT

if TYPE_CHECKING:
    from ..client import VoiceClient

__all__ = ("Server", "Token", "ask_server", "page_of_server", "session_of_server")

_T = TypeVar("_T")

Server: TypeAlias = Annotated[
    str | None, typer.Option(metavar="URL", help="Ask a server, and not a store: https://…")
]
Token: TypeAlias = Annotated[
    str | None,
    typer.Option(
        envvar="VOICESESSION_TOKEN",
        help="Says to the server who asks. In the environment it is seen by fewer people.",
        show_default=False,
    ),
]


def ask_server(
    server: str, token: str | None, tenant: str, question: Callable[[VoiceClient], Awaitable[_T]]
) -> _T:
    """Return what *question* answers about the server.

    Args:
        tenant: The default one is left to the server: it knows whose token it is.
    """
    import anyio

    from ..client import VoiceClient

    async def at_server() -> _T:
        tenant_id = None if tenant == DEFAULT_TENANT else tenant
        async with VoiceClient(server, token=token, tenant_id=tenant_id) as client:
            return await question(client)

    return anyio.run(at_server)


async def page_of_server(client: VoiceClient, filters: dict[str, Any]) -> dict[str, Any]:
    """Return a page of sessions as a document.

    Raises:
        InvalidValue: A filter is none.
    """
    from pydantic import ValidationError

    from ..core.errors import InvalidValue
    from ..schemas.requests import ListQuery

    said = {name: value for name, value in filters.items() if value is not None}
    try:
        query = ListQuery.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = str(first["loc"][0])
        raise InvalidValue(name, said.get(name), first["msg"]) from None
    return (await client.find(query)).model_dump(mode="json")


async def session_of_server(client: VoiceClient, session_id: str) -> dict[str, Any]:
    """Return a session and its words as a document; no words, where none are kept."""
    from ..client import NotFound

    session = await client.get(session_id)
    words = None
    if session.store_transcript:
        try:
            words = (await client.transcript(session_id)).model_dump(mode="json")
        except NotFound:
            words = None  # erased meanwhile
    return {"session": session.model_dump(mode="json"), "transcript": words}
