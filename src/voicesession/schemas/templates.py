"""Session templates on the wire."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from ..core.meters import US_PER_MINUTE
from ..core.templates import SessionTemplate
from .parts import Told
from .records import Pagination

__all__ = (
    "TemplateAnswer",
    "TemplateDeleted",
    "TemplatePage",
    "TemplateRecord",
    "template_document",
)

_US_PER_S: Final = 1_000_000


class TemplateRecord(Told):
    """What sessions of one kind begin with; null is left to the session."""

    id: str
    tenant_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    language: str | None
    model: str | None
    modality_profile: str
    enabled_panels: list[str] | None
    max_active_seconds: float | None = Field(ge=0)
    max_wall_clock_seconds: float | None = Field(ge=0)
    audio_budget_minutes: float | None = Field(ge=0)
    agent_metadata: dict[str, Any]


class TemplateAnswer(Told):
    """One template."""

    template: TemplateRecord


class TemplatePage(Told):
    """A page of templates, by id."""

    templates: list[TemplateRecord]
    pagination: Pagination


class TemplateDeleted(Told):
    """A template is gone; sessions that were made from it go on."""

    deleted: bool = True
    template_id: str


def template_document(template: SessionTemplate) -> dict[str, Any]:
    """Return *template* as it is told."""
    panels = template.enabled_panels
    return {
        "id": template.id,
        "tenant_id": template.tenant_id,
        "name": template.name,
        "created_at": template.created_at.isoformat(),
        "updated_at": template.updated_at.isoformat(),
        "language": template.language,
        "model": template.model,
        "modality_profile": template.modality_profile,
        "enabled_panels": None if panels is None else [*panels],
        "max_active_seconds": _in(_US_PER_S, template.max_active_us),
        "max_wall_clock_seconds": _in(_US_PER_S, template.max_wall_clock_us),
        "audio_budget_minutes": _in(US_PER_MINUTE, template.audio_budget_us),
        "agent_metadata": json.loads(template.agent_metadata_json),
    }


def _in(unit_us: int, duration_us: int | None) -> float | None:
    return None if duration_us is None else duration_us / unit_us
