"""``GET``, ``PATCH``, ``PUT`` and ``DELETE`` of one session."""

from __future__ import annotations

import re
from typing import Final

from ...core.errors import VersionConflict
from ...core.meters import Meter, audio_us
from ...core.session import Session
from ...schemas.refusals import BadRequest
from ...schemas.requests import DeleteQuery, Nothing, Query, RemainingWanted, SessionChanges
from ..access import visible
from ..call import Answer, Call, json_answer
from ..principal import Permission
from .answers import session_answer

__all__ = ("change", "delete", "get")

_A_TAG: Final = re.compile(r'"(\d{1,18})"')


async def get(call: Call[Query, Nothing]) -> Answer:
    """Return a session; one that is over, too."""
    return await session_answer(call, await visible(call))


async def change(call: Call[Query, SessionChanges]) -> Answer:
    """Replace details, and say what was used; the answer is the session as it is then."""
    wanted = call.body
    details = {
        name: value
        for name in ("metadata", "transcript_partial")
        if (value := getattr(wanted, name)) is not None
    }
    left = wanted.daily_budget_remaining
    says_usage = wanted.audio_minutes_used is not None or left is not None
    session = await visible(call)
    if details:
        session = await visible(call, Permission.WRITE)
    if says_usage:
        session = await visible(call, Permission.USAGE)
    expected_seq = _expected_seq(call, session)
    if details:
        session = await call.voice.update(session.id, expected_seq=expected_seq, **details)
    if wanted.audio_minutes_used is not None:
        session = await call.voice.usage.set_audio_minutes(session.id, wanted.audio_minutes_used)
    if left is not None:
        session = await call.voice.usage.set_remaining_today(session.id, _by_meter(left))
    return await session_answer(call, session)


async def delete(call: Call[DeleteQuery, Nothing]) -> Answer:
    """Delete a session with its words, audio and files; nothing brings it back."""
    session = await visible(call)
    await call.voice.delete(session.id, end=call.query.end, by=call.principal.user_id)
    return json_answer({"deleted": True, "session_id": session.id})


def _expected_seq(call: Call[Query, SessionChanges], session: Session) -> int | None:
    header = call.request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    match = _A_TAG.fullmatch(header.strip())
    if match is None:
        raise BadRequest("If-Match", 'one ETag, such as "5", or *')
    expected_seq = int(match[1])
    if expected_seq != session.seq:
        raise VersionConflict(session.id, expected_seq)
    return expected_seq


def _by_meter(left: RemainingWanted) -> dict[Meter, int]:
    amounts = {
        Meter.AUDIO_US: None if left.audioMin is None else audio_us(left.audioMin),
        Meter.VIDEO_TOKENS: left.videoTokens,
        Meter.SCREEN_TOKENS: left.screenTokens,
    }
    return {meter: amount for meter, amount in amounts.items() if amount is not None}
