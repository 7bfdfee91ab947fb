"""The command, called as people call it, and what came of it."""

import json
import os
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from attrs import frozen


@frozen(kw_only=True)
class Ran:
    """What a command has done."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """The last line of stdout, which is JSON."""
        document: dict[str, Any] = json.loads(self.stdout.splitlines()[-1])
        return document

    @property
    def complaint(self) -> str:
        """The one line on stderr."""
        (line,) = self.stderr.splitlines()
        return line


Command: TypeAlias = Callable[..., Ran]
"""Takes the arguments of a command, runs it, and says what it has done."""

Speech: TypeAlias = Callable[[str, int], bytes]
"""Takes a text and a rate; returns it as the demo's caller says it, with silence around it."""


@frozen(kw_only=True)
class Performed:
    """One whole demo, without any option but ``--json``."""

    ran: Ran
    out: Path

    @property
    def store_url(self) -> str:
        return f"sqlite:///{self.out / 'voice.db'}"


def process(*arguments: object) -> list[str]:
    """Return the words that run a command as a process of its own."""
    return [sys.executable, "-m", "voicesession.cli", *map(str, arguments)]


def run_process(*arguments: object, cwd: Path) -> Ran:
    """Run a command as a process of its own, as a shell does."""
    done = subprocess.run(  # our own command
        process(*arguments),
        cwd=cwd,
        env=os.environ | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Ran(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def write_wav(
    path: Path, samples: bytes, *, rate: int = 16_000, channels: int = 1, width: int = 2
) -> Path:
    """Write *samples* as a WAV file and return its path."""
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(samples)
    return path
