"""What can be done besides; mounted once, at the paths that stand here."""

from __future__ import annotations

from typing import Final

from ..schemas import requests
from ..schemas.budgets import BudgetAnswer
from ..schemas.health import HealthAnswer
from ..schemas.templates import TemplateAnswer, TemplateDeleted, TemplatePage
from .endpoints import budgets, health, rooms, templates
from .routing import ADMIN, ANYBODY, READ, Route

__all__ = ("STANDING_ROUTES",)

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
        answer=HealthAnswer,
        errors=(401, 404),
        tag="rooms",
    ),
    Route(
        name="healthz",
        methods=("GET",),
        path="/healthz",
        endpoint=health.healthz,
        permissions=ANYBODY,
        query=requests.Nothing,
        answer=HealthAnswer,
        tag="health",
    ),
    Route(
        name="readyz",
        methods=("GET",),
        path="/readyz",
        endpoint=health.readyz,
        permissions=ANYBODY,
        query=requests.Nothing,
        answer=HealthAnswer,
        errors=(503, 504),
        tag="health",
    ),
    Route(
        name="metrics",
        methods=("GET",),
        path="/metrics",
        endpoint=health.metrics,
        permissions=ADMIN,
        query=requests.Nothing,
        media_types=(health.PROMETHEUS_TEXT.partition(";")[0],),
        errors=(404,),
        tag="health",
    ),
)
