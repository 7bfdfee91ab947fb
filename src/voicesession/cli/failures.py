"""How a command fails: one line for people, an exit code for programs."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Final, TypeAlias, cast

import typer

from ..core.errors import InvalidValue

__all__ = ("FAILURE", "INTERRUPTED", "WRONG_USE", "Debug", "WrongUse", "reported")

FAILURE: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130
"""128 and the number of SIGINT, as shells count."""

Debug: TypeAlias = Annotated[bool, typer.Option("--debug", help="Show where an error came from.")]


class WrongUse(Exception):
    """An argument cannot be used; nothing was done."""


@contextmanager
def reported(*, debug: bool) -> Generator[None]:
    """Turn whatever goes wrong in the block into one line on stderr and an exit code.

    Args:
        debug: Print the traceback in front of that line.

    Raises:
        typer.Exit: Always, instead of the error.
    """
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # whatever it is, a person reads it
        if debug:
            traceback.print_exc()
        first = _first(error)
        typer.echo(f"voicesession: {_line(first)}", err=True)
        raise typer.Exit(_exit_code(first)) from None


def _first(error: BaseException) -> BaseException:
    """What went wrong first, where several tasks have failed together."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    return _first(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])


def _line(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _exit_code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return WRONG_USE if isinstance(error, WrongUse | InvalidValue) else FAILURE
