"""Which storage a URL means, and what is said of one that means none."""

import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

import voicesession
from voicesession.core.errors import InvalidConfig
from voicesession.stores.documents import DocumentStorage
from voicesession.stores.memory import MemoryStorage
from voicesession.stores.sql.postgres import PostgresStorage
from voicesession.stores.sql.sqlite import SqliteStorage
from voicesession.wiring.stores import ENTRY_POINTS, storage_at

SECRET = "tr0ub4dor"  # noqa: S105  # nobody's


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory://", MemoryStorage),
        ("sqlite:///voice.db", SqliteStorage),
        (f"postgresql://voice:{SECRET}@db.example/voice", PostgresStorage),
        (f"redis://:{SECRET}@cache.example:6379/0", DocumentStorage),
        (f"rediss://:{SECRET}@cache.example:6380/0", DocumentStorage),
        ("firestore://project/database", DocumentStorage),
        ("firestore://project", DocumentStorage),
    ],
)
def test_a_url_names_a_storage_which_opens_nothing_yet(
    url: str, kind: type, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    storage = storage_at(url)
    assert type(storage) is kind
    assert SECRET not in repr(storage)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url", ["voice.db", f"mysql://voice:{SECRET}@db/x", "sqlite://", "", "http://[", "://"]
)
def test_a_url_that_names_none_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(InvalidConfig, match="store") as refusal:
        voicesession.open(url)
    assert SECRET not in str(refusal.value)


def test_the_refusal_lists_what_there_is() -> None:
    with pytest.raises(InvalidConfig) as refusal:
        storage_at("mysql://db/x")
    for scheme in ("memory", "sqlite", "postgresql", "redis", "rediss", "firestore"):
        assert f"{scheme}://" in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "missing", "extra"),
    [
        ("postgresql://db/x", "asyncpg", "postgres"),
        ("redis://cache", "redis", "redis"),
        ("firestore://project", "google.cloud.firestore_v1", "firestore"),
    ],
)
def test_a_missing_driver_is_told_by_the_name_of_its_extra(
    url: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name.startswith((missing, "voicesession.stores.sql.postgres")) or (
            ".documents." in name and (".redis" in name or ".firestore" in name)
        ):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InvalidConfig, match=rf"voicesession\[{extra}\]"):
        storage_at(url)


def storage_of_another_package(url: str) -> MemoryStorage:
    assert url == "elsewhere://host/x"
    return MemoryStorage()


def test_another_package_adds_a_scheme_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("elsewhere", f"{__name__}:storage_of_another_package", ENTRY_POINTS)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])

    def installed(*, group: str) -> EntryPoints:
        return EntryPoints([point] if group == ENTRY_POINTS else [])

    monkeypatch.setattr("voicesession.wiring.stores.entry_points", installed)
    assert isinstance(storage_at("elsewhere://host/x"), MemoryStorage)
    with pytest.raises(InvalidConfig, match="elsewhere://"):
        storage_at("nowhere://")


def test_an_address_of_redis_may_say_how_long_ended_sessions_stay() -> None:
    storage = storage_at("redis://cache.example/0?ttl_after_end_days=40&health_check_interval=5")
    assert isinstance(storage, DocumentStorage)


@pytest.mark.parametrize("days", ["", "0", "-1", "1.5", "a", "²", "36501"])
def test_an_address_of_redis_with_no_number_of_days_is_refused(days: str) -> None:
    with pytest.raises(InvalidConfig, match="ttl_after_end_days=1 to 36500"):
        storage_at(f"redis://:{SECRET}@cache.example/0?ttl_after_end_days={days}")


@pytest.mark.parametrize("word", ["", "1", "yes", "True"])
def test_an_upgrade_at_the_start_is_true_or_false(word: str) -> None:
    with pytest.raises(InvalidConfig, match="upgrade=true or false"):
        storage_at(f"postgresql://voice:{SECRET}@db.example/voice?upgrade={word}")
