"""A server of one's own, by one command: a real process."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import define
from tests.cli.stage import process as words_of
from tests.patience import PATIENCE_S

from voicesession.schemas.settings import variables


@define
class Served:
    """A server that runs.

    Attributes:
        printed: All that it has printed, once it is gone.
    """

    url: str
    process: subprocess.Popen[str]
    printed: str = ""

    @property
    def ws(self) -> str:
        return self.url.replace("http", "ws", 1)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def served(folder: Path, **settings: str) -> Generator[Served]:
    """Run ``voicesession serve`` in *folder* until the end of the block, then ask it to stop."""
    process = subprocess.Popen(
        words_of("serve", "--port", 0, "--drain", 0),
        cwd=folder,
        env=_environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:"), process.communicate()
    running = Served(line.split()[2], process)
    try:
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=PATIENCE_S)
        running.printed = line + rest + errors
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    named = {variable.name for variable in variables()}
    kept = {name: value for name, value in os.environ.items() if name not in named}
    return kept | {f"VOICESESSION_{name}": value for name, value in settings.items()}
