"""The settings of a server, for the commands that go by them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from .failures import WrongUse

if TYPE_CHECKING:
    from ..schemas.settings import LiveKitSettings, Settings

__all__ = ("EnvFile", "server_settings")

EnvFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Settings beside those of the environment, instead of those of .env."),
]

_OF_THE_EXTRA: Final = ("pydantic_settings", "jwt", "starlette", "uvicorn")


def server_settings(env_file: Path | None = None) -> tuple[Settings, LiveKitSettings]:
    """Return what the environment and *env_file*, or else ``.env``, say.

    Raises:
        WrongUse: There is no such file, or the extra that serves is not installed.
        InvalidConfig: A setting cannot be used.
    """
    missing = [name for name in _OF_THE_EXTRA if find_spec(name) is None]
    if missing:
        raise WrongUse(
            f'this needs an extra: pip install "voicesession[web]" ({missing[0]} is not there)'
        )
    if env_file is not None and not env_file.is_file():
        raise WrongUse(f"{env_file}: there is no such file")
    from ..schemas.settings import load

    return load(env_file)
