from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from voicesession.core.errors import InvalidValue
from voicesession.core.session import LONGEST_LIMIT_US
from voicesession.core.templates import SessionTemplate, TemplateId, session_defaults

AT = datetime(2026, 11, 21, tzinfo=UTC)
PLAIN = SessionTemplate(id=TemplateId("tmpl_1"), name="Visit", created_at=AT, updated_at=AT)


def test_a_template_leaves_open_what_it_does_not_say() -> None:
    assert (PLAIN.modality_profile, PLAIN.enabled_panels, PLAIN.language) == ("audio", None, None)
    assert (PLAIN.max_active_us, PLAIN.audio_budget_us) == (None, None)


def test_panels_are_a_tuple_of_names() -> None:
    named: Any = ["notes", "map"]
    assert evolve(PLAIN, enabled_panels=named).enabled_panels == ("notes", "map")


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "a/b"},
        {"tenant_id": ""},
        {"name": None},
        {"enabled_panels": "notes"},
        {"enabled_panels": ["nul\0"]},
        {"language": 7},
        {"max_active_us": -1},
        {"max_active_us": LONGEST_LIMIT_US + 1},
        {"max_wall_clock_us": 1.5},
        {"audio_budget_us": 2**63},
        {"agent_metadata_json": "[]"},
        {"created_at": datetime(2026, 11, 21)},  # noqa: DTZ001  # that is the point
    ],
)
def test_what_a_template_cannot_say_is_refused(wrong: dict[str, Any]) -> None:
    (field,) = wrong
    with pytest.raises(InvalidValue, match=field):
        evolve(PLAIN, **wrong)


def test_a_session_takes_what_its_template_says_and_nothing_else() -> None:
    assert session_defaults(PLAIN) == {"modality_profile": "audio"}
    full = evolve(
        PLAIN,
        modality_profile="audio+camera",
        enabled_panels=("notes",),
        language="de",
        model="accurate",
        max_active_us=60_000_000,
        max_wall_clock_us=90_000_000,
        agent_metadata_json='{"persona":"nurse"}',
    )
    assert session_defaults(full) == {
        "modality_profile": "audio+camera",
        "enabled_panels": ("notes",),
        "language": "de",
        "model": "accurate",
        "max_active_us": 60_000_000,
        "max_wall_clock_us": 90_000_000,
        "metadata": {"persona": "nurse"},
    }
