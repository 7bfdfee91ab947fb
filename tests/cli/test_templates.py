"""``voicesession templates``, as people call it."""

import re
import shlex
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.cli.stage import Command

import voicesession

STORE = "sqlite:///voice.db"
PAGE = (Path(__file__).parents[2] / "docs" / "api" / "session-initiation.md").read_text()


@pytest.fixture
def store(command: Command) -> Path:
    """An empty store in the present folder."""

    async def make() -> None:
        async with voicesession.open(STORE):
            pass

    anyio.run(make)
    return Path("voice.db")


def told(command: Command, *arguments: str) -> dict[str, Any]:
    ran = command("templates", *arguments, "--store", STORE, "--json")
    assert ran.code == 0, ran.complaint
    return ran.document


def test_a_template_is_created_shown_changed_and_deleted(command: Command, store: Path) -> None:
    ran = command("templates", "list", "--store", STORE)
    assert ran.stdout == "no templates\n"
    created = told(
        command, "create", "Visit", "--id", "tmpl_visit", "--language", "de",
        "--modality-profile", "audio+camera", "--panel", "notes", "--panel", "map",
        "--max-active-seconds", "600", "--audio-budget-minutes", "4.5",
        "--agent-metadata", '{"persona": "nurse"}',
    )["template"]  # fmt: skip
    assert created["id"] == "tmpl_visit"
    assert (created["enabled_panels"], created["max_active_seconds"]) == (["notes", "map"], 600.0)
    assert (created["audio_budget_minutes"], created["model"]) == (4.5, None)
    assert told(command, "get", "tmpl_visit") == {"template": created}

    updated = told(command, "update", "tmpl_visit", "--name", "House call", "--model", "accurate")
    changed = {"name": "House call", "model": "accurate"}
    kept = {"updated_at": updated["template"]["updated_at"]}
    assert updated["template"] == created | changed | kept
    listed = command("templates", "list", "--store", STORE).stdout.split()
    assert listed == ["tmpl_visit", "audio+camera", "de", "accurate", "House", "call"]

    assert told(command, "delete", "tmpl_visit", "--yes") == {
        "deleted": True,
        "template_id": "tmpl_visit",
    }
    assert told(command, "list") == {"templates": []}


EVERYTHING = {
    "language": "de",
    "model": "accurate",
    "modality-profile": "audio+camera",
    "panel": "notes",
    "max-active-seconds": "600",
    "max-wall-clock-seconds": "900",
    "audio-budget-minutes": "4.5",
    "agent-metadata": '{"persona": "nurse"}',
}


def test_what_a_template_says_is_taken_back_field_by_field(command: Command, store: Path) -> None:
    plain = told(command, "create", "Visit", "--id", "tmpl_plain")["template"]
    said = [word for name, value in EVERYTHING.items() for word in (f"--{name}", value)]
    full = told(command, "create", "Visit", "--id", "tmpl_full", *said)["template"]
    own = {"id", "name", "tenant_id", "created_at", "updated_at"}
    assert all(full[field] != plain[field] for field in full.keys() - own)

    told(command, "update", "tmpl_full", "--unset", "language", "--model", "fast")
    assert told(command, "get", "tmpl_full")["template"]["language"] is None
    unset = [word for name in EVERYTHING for word in ("--unset", name)]
    emptied = told(command, "update", "tmpl_full", *unset)["template"]
    assert {field: emptied[field] for field in emptied.keys() - own} == {
        field: plain[field] for field in plain.keys() - own
    }


def test_the_commands_of_the_page_run_in_an_empty_folder_as_they_stand(command: Command) -> None:
    shown = re.findall(r"^\$ voicesession ((?:.*\\\n)*.*)$", PAGE, re.MULTILINE)
    assert len(shown) == 5
    for line in shown:
        ran = command(*shlex.split(line.replace("\\\n", "")))
        assert ran.code == 0, ran.complaint
    listed = command("templates", "get", "tmpl_visit", "--store", "sqlite:///voicesession.db")
    said = dict(line.split(maxsplit=1) for line in listed.stdout.splitlines())
    assert (said["max_active_seconds"], said["audio_budget_minutes"]) == ("30 min", "30 min")
    assert "model" not in said


def test_a_list_goes_on_behind_an_id(command: Command, store: Path) -> None:
    for name in ("a", "b", "c"):
        told(command, "create", name, "--id", f"tmpl_{name}")
    found = told(command, "list", "--after", "tmpl_a", "--limit", "1")["templates"]
    assert [template["id"] for template in found] == ["tmpl_b"]


def test_only_what_is_there_is_shown_to_people(command: Command, store: Path) -> None:
    shown = command("templates", "create", "Visit", "--store", STORE).stdout
    names = [line.split()[0] for line in shown.splitlines()]
    assert names == ["id", "tenant_id", "name", "created_at", "updated_at", "modality_profile"]


def test_a_template_is_deleted_only_by_one_who_means_it(command: Command, store: Path) -> None:
    told(command, "create", "Visit", "--id", "tmpl_visit")
    asked = command("templates", "delete", "tmpl_visit", "--store", STORE, answer="n\n")
    assert asked.code != 0
    assert "Delete tmpl_visit (Visit)?" in asked.stderr
    command("templates", "delete", "tmpl_visit", "--store", STORE, answer="y\n")
    assert told(command, "list") == {"templates": []}


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("get", "tmpl_9"), 1, "tmpl_9"),
        (("update", "tmpl_9", "--name", "x"), 1, "tmpl_9"),
        (("delete", "tmpl_9", "--yes"), 1, "tmpl_9"),
        (("get", "tmpl_other"), 1, "tmpl_other"),
        (("create", "x", "--id", "a/b"), 2, "id"),
        (("create", "x", "--agent-metadata", "nurse"), 2, "--agent-metadata is no JSON"),
        (("create", "x", "--agent-metadata", "[1]"), 2, "--agent-metadata is no JSON object"),
        (("create", "x", "--audio-budget-minutes", "much"), 2, "audio_minutes"),
        (("create", "x", "--max-active-seconds", "-1"), 2, "max-active-seconds"),
        (("list", "--limit", "0"), 2, "limit"),
        (("update", "tmpl_9", "--unset", "name"), 2, "unset"),
        (("update", "tmpl_9", "--unset", "model", "--model", "fast"), 2, "contradict"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    command: Command, store: Path, arguments: tuple[str, ...], code: int, word: str
) -> None:
    told(command, "create", "Theirs", "--id", "tmpl_other", "--tenant", "others")
    ran = command("templates", *arguments, "--store", STORE)
    assert ran.code == code
    assert word in ran.stderr
