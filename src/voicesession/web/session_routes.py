"""What can be done to sessions; mounted behind each prefix."""

from __future__ import annotations

from typing import Final

from ..schemas import requests
from ..schemas.belongings import SessionStats, SessionTask, TranscriptDocument
from ..schemas.journal import Events
from ..schemas.records import Deleted, SessionAnswer, SessionPage
from ..schemas.rooms import RoomAnswer
from ..schemas.tickets import TicketAnswer
from .endpoints import (
    audio,
    belongings,
    commands,
    creation,
    events,
    lists,
    records,
    rooms,
    tickets,
    transcripts,
)
from .routing import READ, USAGE, WRITE, Route
from .streams import EVENT_STREAM

__all__ = ("SESSION_ROUTES",)

_CHANGE: Final = ("PATCH", "PUT")
_TELL: Final = ("POST", "PUT")

SESSION_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        name="create_session",
        methods=("POST",),
        path="",
        endpoint=creation.create,
        permissions=WRITE,
        body=requests.NewSession,
        status=201,
        answer=SessionAnswer,
        headers={"Idempotency-Key": "Your own, for one session however often you ask for it."},
        errors=(404, 409, 429, 503),
    ),
    Route(
        name="list_sessions",
        methods=("GET",),
        path="",
        endpoint=lists.find,
        permissions=READ,
        query=requests.ListQuery,
        answer=SessionPage,
        media_types=(EVENT_STREAM,),
        errors=(404,),
    ),
    Route(
        name="get_session",
        methods=("GET",),
        path="/{session_id}",
        endpoint=records.get,
        permissions=READ,
        answer=SessionAnswer,
        errors=(404,),
    ),
    Route(
        name="change_session",
        methods=_CHANGE,
        path="/{session_id}",
        endpoint=records.change,
        permissions=USAGE,
        body=requests.SessionChanges,
        answer=SessionAnswer,
        headers={"If-Match": "The ETag of the session that you have seen."},
        errors=(404, 409, 410),
    ),
    Route(
        name="delete_session",
        methods=("DELETE",),
        path="/{session_id}",
        endpoint=records.delete,
        permissions=WRITE,
        query=requests.DeleteQuery,
        answer=Deleted,
        errors=(404, 409),
    ),
    Route(
        name="pause_session",
        methods=_TELL,
        path="/{session_id}/pause",
        endpoint=commands.pause,
        permissions=WRITE,
        body=requests.Command,
        answer=SessionAnswer,
        errors=(404, 409),
    ),
    Route(
        name="resume_session",
        methods=_TELL,
        path="/{session_id}/resume",
        endpoint=commands.resume,
        permissions=WRITE,
        body=requests.Command,
        answer=SessionAnswer,
        errors=(402, 404, 409, 410),
    ),
    Route(
        name="end_session",
        methods=_TELL,
        path="/{session_id}/end",
        endpoint=commands.end,
        permissions=WRITE,
        body=requests.EndCommand,
        answer=SessionAnswer,
        errors=(404, 409),
    ),
    Route(
        name="create_ticket",
        methods=("POST",),
        path="/{session_id}/ticket",
        endpoint=tickets.ticket,
        permissions=WRITE,
        answer=TicketAnswer,
        errors=(404, 409, 410),
    ),
    Route(
        name="get_audio",
        methods=("GET",),
        path="/{session_id}/audio",
        endpoint=audio.audio,
        permissions=READ,
        query=requests.AudioQuery,
        media_types=("audio/wav",),
        headers={"Range": "One range of bytes."},
        errors=(404, 416),
    ),
    Route(
        name="get_transcript",
        methods=("GET",),
        path="/{session_id}/transcript",
        endpoint=transcripts.transcript,
        permissions=READ,
        query=requests.TranscriptQuery,
        answer=TranscriptDocument,
        media_types=tuple(kind.partition(";")[0] for kind in transcripts.MEDIA_TYPES.values()),
        errors=(404,),
    ),
    Route(
        name="get_events",
        methods=("GET",),
        path="/{session_id}/events",
        endpoint=events.events,
        permissions=READ,
        query=requests.EventsQuery,
        answer=Events,
        media_types=(EVENT_STREAM,),
        headers={"Last-Event-ID": "The seq behind which a stream goes on."},
        errors=(404,),
    ),
    Route(
        name="get_stats",
        methods=("GET",),
        path="/{session_id}/stats",
        endpoint=belongings.stats,
        permissions=READ,
        answer=SessionStats,
        errors=(404,),
    ),
    Route(
        name="get_tasks",
        methods=("GET",),
        path="/{session_id}/tasks",
        endpoint=belongings.tasks,
        permissions=READ,
        query=requests.TasksQuery,
        answer=list[SessionTask],
        errors=(404,),
    ),
    Route(
        name="start_session",
        methods=("POST",),
        path="/start",
        endpoint=rooms.start,
        permissions=WRITE,
        body=requests.NewRoom,
        status=201,
        answer=RoomAnswer,
        errors=(404, 502),
        tag="rooms",
    ),
    Route(
        name="refresh_token",
        methods=("POST",),
        path="/{session_id}/token",
        endpoint=rooms.token,
        permissions=WRITE,
        answer=RoomAnswer,
        errors=(404, 409, 410),
        tag="rooms",
    ),
)
