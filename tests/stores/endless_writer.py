"""A process that commits until it is killed, and prints each name once it is acknowledged."""

import sys
from itertools import count
from pathlib import Path

import anyio

from voicesession.core.events import DetailsChanged
from voicesession.stores.sql import SqliteStorage
from voicesession.testing.contracts.storage import START, a_session, after, create


async def main(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        for number in count():
            session = await create(storage, a_session(f"s{number}"))
            change = after(session, DetailsChanged(at=START, fields=("x",)))
            await storage.commit(change)
            sys.stdout.write(f"{session.id}\n")
            sys.stdout.flush()


anyio.run(main, Path(sys.argv[1]))
