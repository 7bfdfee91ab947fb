"""``GET …/audio``: the finished recording."""

from __future__ import annotations

from ...core.identity import shortened
from ...core.session import Session
from ...runtime.recordings import KeptAudio
from ...schemas.refusals import NotFound
from ...schemas.requests import AudioQuery, Nothing
from ..access import visible
from ..call import Answer, Call
from ..ranges import wanted_bytes

__all__ = ("audio",)


async def audio(call: Call[AudioQuery, Nothing]) -> Answer:
    """Return the recording, whole or the range that is asked for, or where to fetch it."""
    session = await visible(call)
    recordings = call.voice.recordings
    kept = await recordings.of(session)
    if kept is None:
        raise NotFound("there is no recording of this session, or none yet")
    if call.query.redirect:
        url = await recordings.signed_url(kept, expires_in=call.options.signed_urls_for)
        if url is not None:
            return Answer(status=307, headers={"location": url}, media_type="audio/wav")
    return _file(call, session, kept)


def _file(call: Call[AudioQuery, Nothing], session: Session, kept: KeptAudio) -> Answer:
    asked = call.request.headers
    # Whoever says If-Range has another version in mind, of which we know nothing.
    wanted = None if "if-range" in asked else wanted_bytes(asked.get("range"), kept.size_bytes)
    part = range(kept.size_bytes) if wanted is None else wanted
    headers = {
        "accept-ranges": "bytes",
        "content-length": str(len(part)),
        "content-disposition": f'inline; filename="session-{shortened(session.id)}.wav"',
    }
    if wanted is not None:
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{kept.size_bytes}"
    return Answer(
        content=call.voice.recordings.read(kept, start=part.start, end=part.stop),
        status=200 if wanted is None else 206,
        media_type="audio/wav",
        headers=headers,
    )
