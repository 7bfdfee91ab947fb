from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "voice.db"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for locks and answers no longer than a test may take."""
    monkeypatch.setattr("voicesession.stores.sql.sqlite.connections._WAITS_FOR_LOCK_S", 0.02)
