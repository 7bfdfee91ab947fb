"""What a host may choose when it opens the manager."""

from datetime import timedelta

import pytest

import voicesession
from voicesession.core.errors import InvalidValue


async def test_the_hosts_defaults_hold_where_nobody_says_anything() -> None:
    async with voicesession.open(defaults={"retention_days": 7, "language": "de"}) as voice:
        session = await voice.create(language="en")
    assert (session.retention_days, session.language) == (7, "en")


async def test_a_template_goes_before_the_hosts_defaults() -> None:
    async with voicesession.open(defaults={"language": "de", "model": "accurate"}) as voice:
        template = await voice.templates.create(name="front desk", language="fr")
        session = await voice.create(session_template_id=template.id)
    assert (session.language, session.model) == ("fr", "accurate")


async def test_a_default_is_held_to_what_a_parameter_is() -> None:
    async with voicesession.open(defaults={"channels": 7}) as voice:
        with pytest.raises(InvalidValue, match="channels"):
            await voice.create()


def test_checkpoints_are_not_closer_together_than_five_seconds() -> None:
    with pytest.raises(InvalidValue, match="checkpoint"):
        voicesession.open(recordings="s3://bucket", checkpoint=timedelta(seconds=1))
