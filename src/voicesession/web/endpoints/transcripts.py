"""``GET …/transcript``: the words, as a document, as text, or as captions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ...schemas.refusals import NotFound
from ...schemas.requests import Nothing, TranscriptQuery
from ..access import visible
from ..call import Answer, Call, json_answer

__all__ = ("MEDIA_TYPES", "transcript")

MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "txt": "text/plain; charset=utf-8",
        "srt": "application/x-subrip; charset=utf-8",
        "vtt": "text/vtt; charset=utf-8",
    }
)


async def transcript(call: Call[TranscriptQuery, Nothing]) -> Answer:
    """Return what was said so far; with ``merge=linked``, from the first linked session on."""
    session = await visible(call)
    if not session.store_transcript:
        raise NotFound("this session keeps no transcript")
    form, linked = call.query.format, call.query.merge == "linked"
    if form == "json":
        return json_answer(await call.voice.transcripts.document(session.id, linked=linked))
    text = await call.voice.transcripts.text(session.id, form, linked=linked)
    return Answer(content=text.encode(), media_type=MEDIA_TYPES[form])
