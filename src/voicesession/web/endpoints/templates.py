"""``/v1/templates``: what sessions of one kind begin with."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ...core.errors import InvalidValue, TemplateNotFound
from ...core.identity import checked_id
from ...core.meters import audio_us
from ...core.templates import SessionTemplate
from ...schemas.records import pagination_document
from ...schemas.requests import NewTemplate, Nothing, TemplatesQuery, TenantQuery
from ...schemas.templates import template_document
from ..call import Answer, Call, json_answer

__all__ = ("create", "delete", "find", "get", "replace")

_US_PER_S: Final = 1_000_000


async def create(call: Call[TenantQuery, NewTemplate]) -> Answer:
    """Return a new template."""
    return _answer(await _stored(call, None), status=201)


async def find(call: Call[TemplatesQuery, Nothing]) -> Answer:
    """Return the templates of the tenant, by id."""
    limit = call.query.limit
    found = await call.voice.templates.find(after=call.query.cursor, limit=limit)
    next_cursor = found[-1].id if len(found) == limit else None
    return json_answer(
        {
            "templates": [template_document(template) for template in found],
            "pagination": pagination_document(limit, next_cursor),
        }
    )


async def get(call: Call[TenantQuery, Nothing]) -> Answer:
    """Return a template."""
    return _answer(await call.voice.templates.get(_named(call.request.values["template_id"])))


async def replace(call: Call[TenantQuery, NewTemplate]) -> Answer:
    """Put another template in the place of one; sessions that were made from it stay."""
    before = await call.voice.templates.get(_named(call.request.values["template_id"]))
    return _answer(await _stored(call, before.id))


async def delete(call: Call[TenantQuery, Nothing]) -> Answer:
    """Delete a template; sessions that were made from it go on."""
    template_id = _named(call.request.values["template_id"])
    await call.voice.templates.delete(template_id)
    return json_answer({"deleted": True, "template_id": template_id})


async def _stored(call: Call[TenantQuery, NewTemplate], template_id: str | None) -> SessionTemplate:
    said = call.body
    minutes = said.audio_budget_minutes
    return await call.voice.templates.create(
        said.name,
        template_id=template_id,
        audio_budget=None if minutes is None else timedelta(microseconds=audio_us(minutes)),
        agent_metadata=said.agent_metadata,
        language=said.language,
        model=said.model,
        modality_profile=said.modality_profile,
        enabled_panels=said.enabled_panels,
        max_active_us=_us(said.max_active_seconds),
        max_wall_clock_us=_us(said.max_wall_clock_seconds),
    )


def _named(template_id: str) -> str:
    try:
        return checked_id("template_id", template_id)
    except InvalidValue:
        raise TemplateNotFound(template_id) from None


def _answer(template: SessionTemplate, *, status: int = 200) -> Answer:
    return json_answer({"template": template_document(template)}, status=status)


def _us(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * _US_PER_S
