"""What sessions of one kind begin with. A session keeps a snapshot of what it used of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NewType

from attrs import field, frozen
from attrs.validators import optional

from .errors import InvalidValue
from .fields import is_count, is_text, naming_fields
from .identity import DEFAULT_TENANT, TenantId, is_id
from .instants import as_utc
from .metadata import is_metadata_json
from .session import is_time_limit

__all__ = ("SessionTemplate", "TemplateId", "session_defaults")

TemplateId = NewType("TemplateId", str)


def _as_panels(panels: Iterable[str] | None) -> tuple[str, ...] | None:
    if isinstance(panels, str):  # it would fall apart into its letters
        raise InvalidValue("panels", panels, "several names, not one")
    return None if panels is None else tuple(panels)


def _are_texts(template: object, attribute: Any, panels: tuple[str, ...] | None) -> None:
    for panel in panels or ():
        is_text(template, attribute, panel)


@frozen(kw_only=True, field_transformer=naming_fields)
class SessionTemplate:
    """Defaults for sessions. What is None is left to the session's own default.

    Attributes:
        name: For people; need not be unique.
        modality_profile: Such as ``audio`` or ``audio+camera``.
        enabled_panels: What the front end shows beside the call.
        max_active_us: How long a session may be LIVE, pauses not counted: 0 to a hundred
            years, in microseconds. Then it pauses, as ``limit_reached``.
        max_wall_clock_us: How long it may last with its pauses. Then it ends.
        audio_budget_us: How much audio a session may use.
        agent_metadata_json: What the agent is told, at most 16 KiB: `metadata.metadata_json`.
    """

    id: TemplateId = field(validator=is_id)
    tenant_id: TenantId = field(default=DEFAULT_TENANT, validator=is_id)
    name: str = field(validator=is_text)
    created_at: datetime = field(converter=as_utc)
    updated_at: datetime = field(converter=as_utc)
    modality_profile: str = field(default="audio", validator=is_text)
    enabled_panels: tuple[str, ...] | None = field(
        default=None, converter=_as_panels, validator=_are_texts
    )
    language: str | None = field(default=None, validator=optional(is_text))
    model: str | None = field(default=None, validator=optional(is_text))
    max_active_us: int | None = field(default=None, validator=is_time_limit)
    max_wall_clock_us: int | None = field(default=None, validator=is_time_limit)
    audio_budget_us: int | None = field(default=None, validator=optional(is_count))
    agent_metadata_json: str = field(default="{}", validator=is_metadata_json, repr=False)


def session_defaults(template: SessionTemplate) -> dict[str, Any]:
    """Return the parameters that a new session takes from *template*: its snapshot of it.

    What the agent is told becomes the session's ``metadata``, where the agent finds it.
    """
    defaults = {
        "language": template.language,
        "model": template.model,
        "modality_profile": template.modality_profile,
        "enabled_panels": template.enabled_panels,
        "max_active_us": template.max_active_us,
        "max_wall_clock_us": template.max_wall_clock_us,
        "metadata": json.loads(template.agent_metadata_json) or None,
    }
    return {name: value for name, value in defaults.items() if value is not None}
