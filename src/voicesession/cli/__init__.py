"""The command line, ``voicesession …``: the extra ``cli``."""

from __future__ import annotations

import sys

__all__ = ("main",)


def main() -> None:
    """Run the command that the arguments of the process name, and exit with its code.

    0 is success, 1 a failure, 2 a wrong argument, 130 an interruption with Ctrl-C.
    """
    try:
        from .app import app as run

        run()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"typer", "rich"}:
            raise
        print('voicesession: needs: pip install "voicesession[cli]"', file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:  # before there was a command that could be interrupted
        sys.exit(130)
