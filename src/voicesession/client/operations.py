"""
What a server can be asked for over HTTP: one table.

It is the server's own, seen from outside; a test holds both, and the pages of the docs, equal.
``{sessions}`` stands for the place where a server has its sessions.
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

from attrs import field, frozen
from pydantic import TypeAdapter

from ..schemas import belongings, records
from ..schemas.budgets import BudgetAnswer
from ..schemas.health import HealthAnswer
from ..schemas.journal import Events
from ..schemas.rooms import RoomAnswer
from ..schemas.templates import TemplateAnswer, TemplateDeleted, TemplatePage
from ..schemas.tickets import TicketAnswer

__all__ = ("OPERATIONS", "Operation")

A = TypeVar("A")

_SESSION: Final = "{sessions}/{session_id}"
_TEMPLATES: Final = "/v1/templates"
_TEMPLATE: Final = "/v1/templates/{template_id}"
_BUDGET: Final = "/v1/budgets/{scope}/{id}"


@frozen(kw_only=True)
class Operation(Generic[A]):
    """One thing that can be asked for.

    Attributes:
        name: What the server calls it.
        answer: What its JSON is read as.
        of_a_tenant: It may be said whose sessions are meant.
    """

    name: str
    method: str
    path: str
    answer: TypeAdapter[A] = field(eq=False, repr=False)
    of_a_tenant: bool = True


def _operation(name: str, method: str, path: str, answer: type[A]) -> Operation[A]:
    return Operation(name=name, method=method, path=path, answer=TypeAdapter(answer))


CREATE: Final = _operation("create_session", "POST", "{sessions}", records.SessionAnswer)
FIND: Final = _operation("list_sessions", "GET", "{sessions}", records.SessionPage)
GET: Final = _operation("get_session", "GET", _SESSION, records.SessionAnswer)
CHANGE: Final = _operation("change_session", "PATCH", _SESSION, records.SessionAnswer)
DELETE: Final = _operation("delete_session", "DELETE", _SESSION, records.Deleted)
PAUSE: Final = _operation("pause_session", "POST", f"{_SESSION}/pause", records.SessionAnswer)
RESUME: Final = _operation("resume_session", "POST", f"{_SESSION}/resume", records.SessionAnswer)
END: Final = _operation("end_session", "POST", f"{_SESSION}/end", records.SessionAnswer)
TICKET: Final = _operation("create_ticket", "POST", f"{_SESSION}/ticket", TicketAnswer)
AUDIO: Final = _operation("get_audio", "GET", f"{_SESSION}/audio", type(None))
TRANSCRIPT: Final = _operation(
    "get_transcript", "GET", f"{_SESSION}/transcript", belongings.TranscriptDocument
)
EVENTS: Final = _operation("get_events", "GET", f"{_SESSION}/events", Events)
STATS: Final = _operation("get_stats", "GET", f"{_SESSION}/stats", belongings.SessionStats)
TASKS: Final = _operation("get_tasks", "GET", f"{_SESSION}/tasks", list[belongings.SessionTask])
START: Final = _operation("start_session", "POST", "{sessions}/start", RoomAnswer)
TOKEN: Final = _operation("refresh_token", "POST", f"{_SESSION}/token", RoomAnswer)

CREATE_TEMPLATE: Final = _operation("create_template", "POST", _TEMPLATES, TemplateAnswer)
FIND_TEMPLATES: Final = _operation("list_templates", "GET", _TEMPLATES, TemplatePage)
GET_TEMPLATE: Final = _operation("get_template", "GET", _TEMPLATE, TemplateAnswer)
REPLACE_TEMPLATE: Final = _operation("replace_template", "PUT", _TEMPLATE, TemplateAnswer)
DELETE_TEMPLATE: Final = _operation("delete_template", "DELETE", _TEMPLATE, TemplateDeleted)

GET_BUDGET: Final = _operation("get_budget", "GET", _BUDGET, BudgetAnswer)
SET_LIMIT: Final = _operation("set_limit", "PUT", _BUDGET, BudgetAnswer)
DROP_LIMIT: Final = _operation("drop_limit", "DELETE", _BUDGET, BudgetAnswer)

READY: Final = Operation(
    name="readyz",
    method="GET",
    path="/readyz",
    answer=TypeAdapter(HealthAnswer),
    of_a_tenant=False,
)

OPERATIONS: Final[tuple[Operation[Any], ...]] = (
    CREATE,
    FIND,
    GET,
    CHANGE,
    DELETE,
    PAUSE,
    RESUME,
    END,
    TICKET,
    AUDIO,
    TRANSCRIPT,
    EVENTS,
    STATS,
    TASKS,
    START,
    TOKEN,
    CREATE_TEMPLATE,
    FIND_TEMPLATES,
    GET_TEMPLATE,
    REPLACE_TEMPLATE,
    DELETE_TEMPLATE,
    GET_BUDGET,
    SET_LIMIT,
    DROP_LIMIT,
    READY,
)
"""Everything that the client asks for."""
