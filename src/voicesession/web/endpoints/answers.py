"""One session, as each endpoint that returns one answers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.session import Session
from ...schemas.records import session_document
from ..call import Answer, Call, json_answer

__all__ = ("etag_of", "session_answer")


async def session_answer(
    call: Call[Any, Any],
    session: Session,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return the record of *session*, and where its caller finds what belongs to it."""
    origin, path = call.request.origin, f"{call.request.mount}/{session.id}"
    document = session_document(session)
    document["websocket_url"] = f"{origin.websocket_url}{path}/stream"
    document["links"] = _links(session, f"{origin.http_url}{path}")
    if session.enhancement_job_id is not None:
        document |= await _enhancement(call, session)
    return json_answer(
        {"session": document}, status=status, headers={"etag": etag_of(session), **(headers or {})}
    )


def etag_of(session: Session) -> str:
    """Return the version of *session*, as ETag and If-Match have it."""
    return f'"{session.seq}"'


def _links(session: Session, url: str) -> dict[str, str]:
    links: dict[str, str] = {}
    if session.audio_uri is not None:
        links["audio"] = f"{url}/audio"
    if session.store_transcript:
        links["transcript"] = f"{url}/transcript"
    return links


async def _enhancement(call: Call[Any, Any], session: Session) -> dict[str, Any]:
    for task in await call.voice.jobs.of(session.id):
        if task.id == session.enhancement_job_id:
            return {"enhancement": {"job_id": task.id, "state": task.state}}
    return {}
