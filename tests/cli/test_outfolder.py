"""The folder that is there with a session in it, or not at all."""

from pathlib import Path

import pytest

from voicesession.cli.failures import WrongUse
from voicesession.cli.outfolder import claimed


def test_a_folder_that_is_kept_stays(tmp_path: Path) -> None:
    with claimed(tmp_path / "deep" / "out") as folder:
        (folder.path / "voice.db").touch()
        folder.keep()
    assert (tmp_path / "deep" / "out" / "voice.db").exists()


def fail_in(path: Path, *names: str) -> None:
    """Claim *path*, make files of these names there, and fail."""
    with claimed(path) as folder:
        for name in names:
            (folder.path / name).parent.mkdir(exist_ok=True)
            (folder.path / name).touch()
        raise RuntimeError


def test_after_an_error_what_was_made_is_gone_with_all_that_led_to_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail_in(tmp_path / "deep" / "out", "voice.db", "recordings/half")
    assert list(tmp_path.iterdir()) == []


def test_what_others_have_put_into_a_folder_stays_whatever_happens(tmp_path: Path) -> None:
    (tmp_path / "theirs").touch()
    (tmp_path / "recordings").mkdir()
    with pytest.raises(RuntimeError):
        fail_in(tmp_path, "voice.db", "voice.db-wal", "recordings/old")
    left = {place.relative_to(tmp_path).as_posix() for place in tmp_path.rglob("*")}
    assert left == {"theirs", "recordings", "recordings/old"}


def test_a_store_url_names_any_path(tmp_path: Path) -> None:
    with claimed(tmp_path / "50 % off? #1") as folder:
        assert folder.store_url.endswith("/50%20%25%20off%3F%20%231/voice.db")


@pytest.mark.parametrize("place", ["/proc/voicesession", "/proc", "/dev/null", "/dev/null/below"])
def test_a_place_that_takes_no_files_is_refused(place: str) -> None:
    with pytest.raises(WrongUse, match="cannot be written to"), claimed(Path(place)):
        pass
