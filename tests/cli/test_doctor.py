"""What a server would trip over, told before there is one."""

import json
import sys
from pathlib import Path

import pytest
from tests.cli.stage import Command

from voicesession.schemas.settings import variables

pytestmark = pytest.mark.offline


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables():
        monkeypatch.delenv(variable.name, raising=False)


def test_a_machine_that_can_serve_is_well_and_no_database_is_made(command: Command) -> None:
    ran = command("doctor", "--json")
    assert ran.code == 0
    findings = {one["part"]: one for one in json.loads(ran.stdout)["findings"]}
    assert all(one["is_well"] for one in findings.values())
    assert findings["engines"]["detail"] == "vad silero, stt pocketsphinx, tts espeak, agent demo"
    assert not list(Path().rglob("*.db"))
    assert not [path for path in Path("recordings").rglob("*") if path.is_file()]


def test_a_setting_that_may_not_be_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICESESSION_LEASE_SECONDS", "never")
    ran = command("doctor")
    assert ran.code == 1
    assert "NOT OK  settings" in ran.stdout
    assert "VOICESESSION_LEASE_SECONDS" in ran.stdout


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("VOICESESSION_STORE", "redis://:hush@127.0.0.1:1/0", "store"),
        ("VOICESESSION_RECORDINGS", "/dev/null/recordings", "recordings"),
        ("VOICESESSION_AGENT", "openai:gpt", "engines"),
    ],
)
def test_each_part_that_is_not_well_is_named_beside_those_that_are(
    name: str, value: str, part: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv(name, value)
    ran = command("doctor", "--json")
    assert ran.code == 1
    findings = json.loads(ran.stdout)["findings"]
    assert [one["part"] for one in findings if not one["is_well"]] == [part]
    assert "hush" not in ran.stdout + ran.stderr


def test_keys_that_cannot_be_read_are_found_before_a_caller_finds_them(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICESESSION_AUTH", "api_keys")
    monkeypatch.setenv("VOICESESSION_API_KEYS", "keys.toml")
    ran = command("doctor")
    assert ran.code == 1
    assert "NOT OK  auth        api_keys is 'keys.toml'" in ran.stdout


def test_several_workers_are_told_what_they_have_to_share(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICESESSION_AUTH", "jwt")
    monkeypatch.setenv("VOICESESSION_JWT_SECRET", "hush, this is long enough for HS256")
    ran = command("doctor")
    assert "jwt; for several workers set VOICESESSION_SIGNING_SECRET" in ran.stdout
    assert "hush" not in ran.stdout
    monkeypatch.setenv("VOICESESSION_SIGNING_SECRET", "the same 32 bytes for all of the workers")
    assert "SIGNING_SECRET" not in command("doctor").stdout


def test_metrics_that_are_wanted_and_cannot_be_had_are_found(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICESESSION_METRICS", "true")
    assert "ok      metrics     told at /metrics" in command("doctor").stdout
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.prometheus", None)
    ran = command("doctor")
    assert ran.code == 1
    assert "NOT OK  metrics     VOICESESSION_METRICS" in ran.stdout
