"""One line for people, one code for programs."""

import errno

import pytest
import typer

from voicesession.cli.failures import WrongUse, reported
from voicesession.core.errors import InvalidConfig, SessionNotFound


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (WrongUse("a.wav: is a cat"), 2, "a.wav: is a cat"),
        (
            InvalidConfig("store", "ftp://…", "sqlite://"),
            2,
            "store is 'ftp://…'; allowed: sqlite://",
        ),
        (SessionNotFound("s1"), 1, "there is no session s1"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "No space left on device"),
        (OSError(errno.ENOSPC, "No space left", "a.wav"), 1, "a.wav: No space left"),
        (OSError("something"), 1, "something"),
        (ValueError("two\nlines"), 1, "two lines"),
        (ZeroDivisionError(), 1, "ZeroDivisionError"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ExceptionGroup("both", [ExceptionGroup("in", [ValueError("x")])]), 1, "x"),
    ],
)
def test_an_error_is_one_line_and_a_code(
    capfd: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    with pytest.raises(typer.Exit) as exited, reported(debug=False):
        raise error
    assert exited.value.exit_code == code
    assert capfd.readouterr() == ("", f"voicesession: {line}\n")


def test_debug_shows_where_it_came_from_and_changes_nothing_else(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as exited, reported(debug=True):
        raise WrongUse("no")
    assert exited.value.exit_code == 2
    shown = capfd.readouterr().err
    assert "Traceback" in shown
    assert shown.endswith("\nvoicesession: no\n")


def test_a_command_may_exit_as_it_likes() -> None:
    with pytest.raises(typer.Exit) as exited, reported(debug=False):
        raise typer.Exit(7)
    assert exited.value.exit_code == 7
