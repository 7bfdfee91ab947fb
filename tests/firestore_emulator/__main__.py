"""``python -m tests.firestore_emulator firestore.indexes.json``: runs until it is ended."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from .server import emulator


async def _main() -> None:
    async with emulator() as running:
        for path in sys.argv[1:]:
            running.indexes.deploy(Path(path).read_text())  # noqa: ASYNC240  # nobody waits yet
        sys.stdout.write(f"FIRESTORE_EMULATOR_HOST={running.host}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


asyncio.run(_main())
