"""The commands that go by a server's settings say in one line what they lack."""

import json
import sys
from pathlib import Path

import pytest
from tests.cli.stage import Command

from voicesession.schemas.settings import variables


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables():
        monkeypatch.delenv(variable.name, raising=False)


@pytest.mark.parametrize("arguments", [["serve"], ["doctor"], ["token", "--user", "ada"]])
def test_without_the_extra_that_serves_it_is_named(
    arguments: list[str], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_settings", None)
    ran = command(*arguments)
    assert ran.code == 2
    assert 'pip install "voicesession[web]" (pydantic_settings is not there)' in ran.complaint


@pytest.mark.parametrize("name", ["serve", "doctor"])
def test_a_file_of_settings_that_is_not_there_is_not_passed_over(
    name: str, command: Command
) -> None:
    ran = command(name, "--env-file", "prod.env")
    assert ran.code == 2
    assert ran.complaint == "voicesession: prod.env: there is no such file"


def test_the_settings_of_a_server_can_be_tried_before_it_is_started(command: Command) -> None:
    Path("prod.env").write_text("VOICESESSION_VAD=null\nVOICESESSION_STORE=memory://\n")
    ran = command("doctor", "--env-file", "prod.env", "--json")
    findings = {one["part"]: one["detail"] for one in json.loads(ran.stdout)["findings"]}
    assert findings["store"].startswith("memory")
    assert "vad null" in findings["engines"]
