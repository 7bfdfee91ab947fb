"""What the environment says to a server, and what is said of nonsense."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from voicesession.core.errors import InvalidConfig
from voicesession.schemas.settings import AuthKind, load, variables

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in variables():
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_an_environment_the_documented_defaults_hold() -> None:
    settings, livekit = load()
    assert settings.max_sessions_per_user == settings.admission.per_user == 5
    assert settings.life.time_to_live == timedelta(hours=24)
    assert settings.life.reconnect_grace == timedelta(seconds=30)
    assert (settings.lease_seconds, settings.checkpoint_seconds) == (15, 30)
    assert settings.retention_days == 30
    assert settings.auth is AuthKind.NONE
    assert not livekit.is_configured
    assert livekit.token_ttl_seconds == 3600


def test_the_environment_goes_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("VOICESESSION_STORE=redis://file\nVOICESESSION_VAD=energy\n")
    monkeypatch.setenv("VOICESESSION_STORE", "redis://environment")
    settings, _ = load()
    assert (settings.store, settings.vad) == ("redis://environment", "energy")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VOICESESSION_MAX_SESSIONS_PER_USER", "-1"),
        ("VOICESESSION_LEASE_SECONDS", "soon"),
        ("VOICESESSION_CHECKPOINT_SECONDS", "1"),
        ("VOICESESSION_RETENTION_DAYS", "-2"),
        ("VOICESESSION_ALLOW_UNPRICED", "cheap"),
        ("VOICESESSION_AUTH", "trust me"),
        ("LIVEKIT_TOKEN_TTL_SECONDS", "0"),
    ],
)
def test_a_value_that_may_not_be_is_refused_by_its_variables_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidConfig, match=f"^{name} is .*{re.escape(value)}"):
        load()


@pytest.mark.parametrize(
    "given",
    [
        {"LIVEKIT_URL": "wss://rooms.example"},
        {"LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "hush"},
        {"VOICESESSION_AUTH": "jwt"},
        {"VOICESESSION_AUTH": "api_keys"},
        {
            "VOICESESSION_AUTH": "jwt",
            "VOICESESSION_JWT_SECRET": "hush",
            "VOICESESSION_JWT_JWKS_URL": "https://issuer.example/keys",
        },
    ],
    ids="+".join,
)
def test_half_of_what_belongs_together_is_refused(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidConfig) as refusal:
        load()
    assert "hush" not in str(refusal.value)
    assert any(name in str(refusal.value) for name in given)


def test_no_settings_show_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = [variable for variable in variables() if variable.is_secret]
    for variable in secrets:
        monkeypatch.setenv(variable.name, "hush")
    monkeypatch.setenv("LIVEKIT_URL", "wss://rooms.example")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    settings, livekit = load()
    assert len(secrets) == 3
    assert "hush" not in f"{settings!r} {livekit!r} {settings.model_dump_json()}"


def test_the_example_file_can_be_taken_as_it_is(tmp_path: Path) -> None:
    written = (ROOT / ".env.example").read_text()
    (tmp_path / ".env").write_text(re.sub(r"^# (?=[A-Z_]+=)", "", written, flags=re.MULTILINE))
    assert load() == load(Path("no such file"))


def test_the_example_file_names_every_variable_with_its_default() -> None:
    written = (ROOT / ".env.example").read_text().splitlines()
    shown = [line.removeprefix("# ") for line in written if re.match(r"^# [A-Z_]+=", line)]
    assert shown == [f"{one.name}={one.default or ''}" for one in variables()]
    for variable in variables():
        assert f"# {variable.meaning}" in "\n".join(written).replace("\n#   ", " ")
