"""A shell for the tests of the command line."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import anyio
import pytest
from tests.cli.stage import Command, Performed, Ran, Speech, run_process
from typer.main import get_command
from typer.testing import CliRunner

from voicesession.cli.app import app
from voicesession.cli.caller import ScriptedCaller, ScriptLine, rehearsed
from voicesession.cli.engines import callers_voice
from voicesession.cli.line import STEP_US
from voicesession.core.states import TurnState

LONG_ENOUGH_US = 4_000_000

BUILT = cache(get_command)
"""The commands, made once: typer's runner makes all of them anew for each call of one."""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run commands in this process, in an empty folder."""
    monkeypatch.setattr("typer.testing._get_command", BUILT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOICESESSION_STORE", raising=False)
    monkeypatch.delenv("VOICESESSION_RECORDINGS", raising=False)

    def run(*arguments: object, answer: str | None = None) -> Ran:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=answer)
        # Whatever else came out of it would be a traceback on a terminal.
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return Ran(code=result.exit_code, stdout=result.stdout, stderr=result.stderr)

    return run


@pytest.fixture(scope="session")
def performed(tmp_path_factory: pytest.TempPathFactory) -> Performed:
    """Run ``voicesession demo --json`` in an empty folder, once for all tests."""
    folder = tmp_path_factory.mktemp("demo")
    return Performed(
        ran=run_process("demo", "--json", cwd=folder), out=folder / "voicesession-demo"
    )


@pytest.fixture(scope="session")
def speech() -> Speech:
    def speak(text: str, sample_rate: int) -> bytes:
        caller = anyio.run(_rehearsed, (ScriptLine(text=text),), sample_rate)
        steps = range(LONG_ENOUGH_US // STEP_US)
        return b"".join(caller.speak(TurnState.LISTENING) or b"" for _ in steps)

    return speak


async def _rehearsed(script: Sequence[ScriptLine], sample_rate: int) -> ScriptedCaller:
    return await rehearsed(script, callers_voice(), sample_rate=sample_rate)
