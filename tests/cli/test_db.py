"""``voicesession db``, as people call it."""

import sqlite3
from pathlib import Path

from tests.cli.stage import Command

STORE = "sqlite:///voice.db"


def test_a_database_is_made_told_of_and_checked(command: Command) -> None:
    made = command("db", "upgrade", "--store", STORE)
    assert made.code == 0
    assert made.stdout.startswith("upgraded: revision none → ")
    revision = command("db", "current", "--store", STORE, "--json").document["revision"]
    assert made.stdout.rstrip().endswith(revision)
    assert command("db", "upgrade", "--store", STORE).stdout == f"up to date: revision {revision}\n"
    checked = command("db", "check", "--store", STORE)
    assert (checked.code, checked.stdout) == (0, "the tables are as they should be\n")
    assert command("sessions", "list", "--store", STORE).stdout == "no sessions\n"


def test_a_table_that_somebody_has_changed_is_told(command: Command) -> None:
    command("db", "upgrade", "--store", STORE)
    with sqlite3.connect("voice.db") as database:
        database.execute("ALTER TABLE voice_utterances DROP COLUMN confidence")
    database.close()
    checked = command("db", "check", "--store", STORE, "--json")
    assert checked.code == 1
    (difference,) = checked.document["differences"]
    assert "confidence" in difference


def test_what_has_no_tables_is_refused_in_one_line(command: Command) -> None:
    for action in ("upgrade", "current", "check"):
        ran = command("db", action, "--store", "redis://:secret@cache/0")
        assert ran.code == 2
        assert "only sqlite:// and postgresql:// have tables" in ran.complaint
        assert "secret" not in ran.complaint


def test_who_only_looks_makes_no_database(command: Command) -> None:
    for action in ("current", "check"):
        ran = command("db", action, "--store", STORE)
        assert (ran.code, ran.complaint) == (2, "voicesession: voice.db: there is no such store")
    assert not Path("voice.db").exists()
