"""The page lists every instrument as it is."""

import re
from pathlib import Path

from voicesession.runtime.manager import SessionManager
from voicesession.runtime.telemetry import INSTRUMENTS
from voicesession.runtime.telemetry.watching import TurnOutcome

PAGE = (Path(__file__).parents[3] / "docs" / "topics" / "telemetry.md").read_text()


def test_the_table_of_instruments_is_the_code() -> None:
    rows = re.findall(
        r"^\| `(session\..*?)` \| (.*?) \| `(.*?)` \| (.*?) ?\| (.*?) \|$", PAGE, re.MULTILINE
    )
    told = [
        (n, kind, unit, tuple(re.findall("`(.*?)`", ls)), what) for n, kind, unit, ls, what in rows
    ]
    assert told == [(i.name, i.kind, i.unit, i.labels, i.description) for i in INSTRUMENTS]


def test_every_operation_is_named() -> None:
    operations = {
        name
        for name in dir(SessionManager)
        if hasattr(getattr(SessionManager, name), "__wrapped__") and not name.startswith("_")
    } - {"lifespan"}
    assert {name for name in operations if f"`{name}`" not in PAGE} == set()


def test_every_outcome_of_a_turn_is_named() -> None:
    assert {outcome for outcome in TurnOutcome if f"`{outcome}`" not in PAGE} == set()
