"""
Everything that HTTP can do: one table.

The adapters, the OpenAPI document, the page of the docs and the tests that try each call as a
stranger are made from it; nothing else may hold a second copy of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from attrs import field, frozen
from pydantic import BaseModel

from ..schemas import requests
from ..schemas.belongings import SessionStats, SessionTask, TranscriptDocument
from ..schemas.budgets import BudgetAnswer
from ..schemas.journal import Events
from ..schemas.records import Deleted, SessionAnswer, SessionPage
from ..schemas.rooms import RoomAnswer
from ..schemas.templates import TemplateAnswer, TemplateDeleted, TemplatePage
from .call import Answer, Call
from .endpoints import (
    audio,
    belongings,
    budgets,
    commands,
    creation,
    events,
    health,
    lists,
    records,
    rooms,
    templates,
    transcripts,
)
from .principal import Permission
from .streams import EVENT_STREAM

__all__ = ("ROUTES", "SESSION_ROUTES", "STANDING_ROUTES", "Endpoint", "Route")

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
"""Mounted behind each prefix for sessions."""

_TEMPLATES: Final = "/v1/templates"
_TEMPLATE: Final = "/v1/templates/{template_id}"
_BUDGET: Final = "/v1/budgets/{scope}/{id}"

STANDING_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        name="create_template",
        methods=("POST",),
        path=_TEMPLATES,
        endpoint=templates.create,
        permissions=ADMIN,
        query=requests.TenantQuery,
        body=requests.NewTemplate,
        status=201,
        answer=TemplateAnswer,
        errors=(404,),
        tag="templates",
    ),
    Route(
        name="list_templates",
        methods=("GET",),
        path=_TEMPLATES,
        endpoint=templates.find,
        permissions=READ,
        query=requests.TemplatesQuery,
        answer=TemplatePage,
        errors=(404,),
        tag="templates",
    ),
    Route(
        name="get_template",
        methods=("GET",),
        path=_TEMPLATE,
        endpoint=templates.get,
        permissions=READ,
        query=requests.TenantQuery,
        answer=TemplateAnswer,
        errors=(404,),
        tag="templates",
    ),
    Route(
        name="replace_template",
        methods=("PUT",),
        path=_TEMPLATE,
        endpoint=templates.replace,
        permissions=ADMIN,
        query=requests.TenantQuery,
        body=requests.NewTemplate,
        answer=TemplateAnswer,
        errors=(404,),
        tag="templates",
    ),
    Route(
        name="delete_template",
        methods=("DELETE",),
        path=_TEMPLATE,
        endpoint=templates.delete,
        permissions=ADMIN,
        query=requests.TenantQuery,
        answer=TemplateDeleted,
        errors=(404,),
        tag="templates",
    ),
    Route(
        name="get_budget",
        methods=("GET",),
        path=_BUDGET,
        endpoint=budgets.get,
        permissions=READ,
        query=requests.TenantQuery,
        answer=BudgetAnswer,
        errors=(404,),
        tag="budgets",
    ),
    Route(
        name="set_limit",
        methods=("PUT",),
        path=_BUDGET,
        endpoint=budgets.set_limit,
        permissions=ADMIN,
        query=requests.TenantQuery,
        body=requests.SetLimit,
        answer=BudgetAnswer,
        errors=(404,),
        tag="budgets",
    ),
    Route(
        name="drop_limit",
        methods=("DELETE",),
        path=_BUDGET,
        endpoint=budgets.drop_limit,
        permissions=ADMIN,
        query=requests.LimitQuery,
        answer=BudgetAnswer,
        errors=(404,),
        tag="budgets",
    ),
    Route(
        name="livekit_webhook",
        methods=("POST",),
        path="/v1/livekit/webhook",
        endpoint=rooms.webhook,
        permissions=ANYBODY,
        query=requests.Nothing,
        reads_raw=True,
        answer=dict[str, str],
        errors=(403, 404),
        tag="rooms",
    ),
    Route(
        name="healthz",
        methods=("GET",),
        path="/healthz",
        endpoint=health.healthz,
        permissions=ANYBODY,
        query=requests.Nothing,
        answer=dict[str, str],
        tag="health",
    ),
    Route(
        name="readyz",
        methods=("GET",),
        path="/readyz",
        endpoint=health.readyz,
        permissions=ANYBODY,
        query=requests.Nothing,
        answer=dict[str, str],
        errors=(503, 504),
        tag="health",
    ),
)
"""Mounted once, at the paths they name."""

ROUTES: Final[tuple[Route, ...]] = SESSION_ROUTES + STANDING_ROUTES
