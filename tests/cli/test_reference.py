"""The page about the command line says what the parser says, and what the commands exit with."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.cli.stage import Command
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.main import get_command

from voicesession.cli import failures
from voicesession.cli.app import app
from voicesession.schemas.settings import variables

PAGE: Final = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()


def commands(group: Any, name: str) -> Iterator[tuple[str, TyperCommand]]:
    """Yield every command by its whole name, as the groups have them."""
    for step, command in group.commands.items():
        whole = f"{name} {step}"
        if isinstance(command, TyperGroup):
            yield from commands(command, whole)
        else:
            yield whole, command


COMMANDS: Final = dict(commands(get_command(app), "voicesession"))


def written(name: str, command: TyperCommand) -> str:
    """Return what the page says of a command: how it is called, what it does, its options."""
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if not isinstance(one, TyperArgument)]
    said = " ".join([name, *map(place_of, arguments)])
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    rows = [row(place_of(one), one) for one in arguments] + [
        row(", ".join([*one.opts, *one.secondary_opts]), one) for one in options
    ]
    return "\n\n".join(
        [
            f"### `{said}`",
            *(" ".join(paragraph.split()) for paragraph in paragraphs),
            "\n".join(["| | Default | |", "|---|---|---|", *rows]) if rows else "",
        ]
    ).rstrip()


def place_of(argument: Any) -> str:
    name = argument.name.upper()
    name = f"{name}…" if argument.nargs == -1 else name
    return name if argument.required else f"[{name}]"


def row(names: str, parameter: Any) -> str:
    default = parameter.default
    if parameter.required:
        shown = "must be given"
    elif default is None or default is False or callable(default):
        shown = ""
    else:
        shown = f"`{str(default).lower() if isinstance(default, bool) else default}`"
    told = [parameter.help, parameter.envvar and f"In the environment: `{parameter.envvar}`."]
    return f"| `{names}` | {shown} | {' '.join(filter(None, told))} |"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_says_of_each_command_what_its_help_says(name: str) -> None:
    assert f"{written(name, COMMANDS[name])}\n\n" in PAGE


def test_the_page_has_every_command_once_and_no_other() -> None:
    told = re.findall(r"^### `(voicesession[a-z ]*)", PAGE, re.MULTILINE)
    assert [name.strip() for name in told] == [*COMMANDS]


def test_the_page_lists_every_variable_that_a_command_listens_to() -> None:
    environment = PAGE.partition("## Environment")[2]
    told = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*?) \|$", environment, re.MULTILINE)
    of_a_server = [
        (one.name, "" if one.default is None else f"`{one.default}`", one.meaning)
        for one in variables()
    ]
    of_commands = {
        parameter.envvar for command in COMMANDS.values() for parameter in command.params
    } - {None, *(name for name, _, _ in of_a_server)}
    assert [row for row in told if row[0] not in of_commands] == of_a_server
    assert {name for name, _, _ in told} >= of_commands


def test_the_page_lists_every_exit_code() -> None:
    told = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert [int(code) for code in told] == [
        0,
        failures.FAILURE,
        failures.WRONG_USE,
        failures.INTERRUPTED,
        143,
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["states"], 0),
        (["sessions", "get", "sess_1", "--store", "sqlite:///none.db"], 2),
        (["states", "--no-such-option"], 2),
        (["no-such-command"], 2),
    ],
)
def test_a_program_learns_from_the_exit_code_whether_it_was_called_rightly(
    arguments: list[str], code: int, command: Command
) -> None:
    assert command(*arguments).code == code
