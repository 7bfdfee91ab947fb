"""A process that commits until it is killed, and prints each name once it is acknowledged."""

import sys
from itertools import count
from pathlib import Path

import anyio

from voicesession.stores.sql import SqliteStorage
from voicesession.testing.contracts.storage.examples import an_utterance, change_of, heard, live


async def main(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        for number in count():
            session = await live(storage, f"s{number}")
            said = [an_utterance(f"u{n}") for n in range(20)]
            await storage.sessions.commit(change_of(session, *map(heard, said), utterances=said))
            sys.stdout.write(f"{session.id}\n")
            sys.stdout.flush()


anyio.run(main, Path(sys.argv[1]))
