"""
The tables of a database, brought from one revision to the next by Alembic.

The revisions themselves stand in ``migrations``. All that are missing are run in one transaction,
by one process at a time, so a database is never left half migrated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, func, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from ...core.errors import InvalidConfig, StoreError
from .revisions import FIRST_COUNTED_IN, OURS, REVISION_TABLE, REVISIONS, UPGRADE, Step, step_needed
from .schema import METADATA, ONLY_ON

__all__ = ("check", "current", "migrate", "upgrade", "upgrade_on")

T = TypeVar("T")

_LOCK: Final = 0x766F696365  # "voice": any number that nobody else locks


def upgrade(url: str, *, schema: str | None = None) -> str:
    """Bring the database at *url* up to date, and return the revision that it has then.

    Waits while somebody else does the same. Whatever goes wrong, nothing was changed.

    Args:
        url: ``sqlite:///file.db`` or ``postgresql://…``.
        schema: Where the tables lie, in PostgreSQL; None is where the connection looks.

    Raises:
        InvalidConfig: *url* names no database that there is.
        StoreError: A newer library wrote it, it is half migrated, or it refused.
    """
    return _on(url, lambda connection: upgrade_on(connection, schema))


def current(url: str, *, schema: str | None = None) -> str | None:
    """Return the revision of the database at *url*; None if it has no tables of ours.

    Raises:
        InvalidConfig: *url* names no database that there is.
        StoreError: A newer library wrote it, it is half migrated, or it refused.
    """
    return _on(url, lambda connection: _current(connection, schema))


def check(url: str, *, schema: str | None = None) -> Sequence[str]:
    """Return in what the tables of the database at *url* differ from what they should be.

    Nothing, if they are up to date and nobody has changed them.

    Raises:
        InvalidConfig: *url* names no database that there is.
        StoreError: A newer library wrote it, it is half migrated, or it refused.
    """
    return _on(url, lambda connection: _differences(connection, schema))


def upgrade_on(connection: Connection, schema: str | None = None) -> str:
    """Bring a database up to date in the transaction of *connection*; return its revision.

    Raises:
        StoreError: A newer library wrote it, or it is half migrated.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    if _step(connection, schema) is not Step.NOTHING:
        migrate(connection, schema)
    return REVISIONS[-1]


def migrate(connection: Connection, schema: str | None = None) -> None:
    """Run the revisions that are missing."""

    def missing(revision: Any, _: MigrationContext) -> Any:
        # As its own command does.
        return scripts._upgrade_revs("head", revision)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    scripts = ScriptDirectory.from_config(_config())
    with EnvironmentContext(_config(), scripts, fn=missing) as environment:
        environment.configure(connection=connection, **_options(schema))
        context = environment.get_context()
        if inspect(connection).has_table(FIRST_COUNTED_IN, schema=schema):
            context.stamp(scripts, REVISIONS[0])
        environment.run_migrations(schema=schema)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", f"{__package__}:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _options(schema: str | None) -> dict[str, Any]:
    return {
        "target_metadata": METADATA,
        "version_table": REVISION_TABLE,
        "version_table_schema": schema,
        "include_schemas": False,
    }


def _step(connection: Connection, schema: str | None) -> Step:
    tables = set(inspect(connection).get_table_names(schema=schema)) & OURS
    return step_needed(tables, _counted(connection, tables, schema))


def _current(connection: Connection, schema: str | None) -> str | None:
    tables = set(inspect(connection).get_table_names(schema=schema)) & OURS
    counted = _counted(connection, tables, schema)
    if step_needed(tables, counted) is Step.MAKE:
        return None
    return str(counted[0]).zfill(4)


def _counted(connection: Connection, tables: set[str], schema: str | None) -> list[str | int]:
    prefix = "" if schema is None else f'"{schema}".'
    for table, column in ((REVISION_TABLE, "version_num"), (FIRST_COUNTED_IN, "version")):
        if table in tables:
            # Both are ours, and a schema that is quoted is a name.
            return list(connection.scalars(text(f"SELECT {column} FROM {prefix}{table}")))  # noqa: S608
    return []


def _differences(connection: Connection, schema: str | None) -> list[str]:
    _step(connection, schema)
    if schema is not None:
        connection.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')

    def is_ours(thing: Any, name: str | None, kind: str, *_: Any) -> bool:
        # Alembic asks nobody whether an index is meant for this database.
        only_on = thing.info.get(ONLY_ON, connection.dialect.name)
        return only_on == connection.dialect.name and (kind != "table" or name in METADATA.tables)

    options = {"version_table": REVISION_TABLE, "compare_type": True, "include_object": is_ours}
    context = MigrationContext.configure(connection, opts=options)
    found: list[object] = compare_metadata(context, METADATA)
    return [repr(difference) for difference in found]


# --- connections -------------------------------------------------------------------------------


def _on(url: str, work: Callable[[Connection], T]) -> T:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InvalidConfig("store", "no URL", "sqlite:///file.db or postgresql://…") from None
    backend = parsed.get_backend_name()
    try:
        if backend == "sqlite":
            return _on_sqlite(parsed, work)
        if backend == "postgresql":
            return asyncio.run(_on_postgres(parsed, work))
    except (DBAPIError, OSError) as error:
        raise StoreError(f"the database refused: {error}") from error
    raise InvalidConfig("store", f"{backend}://…", "sqlite:///file.db or postgresql://…")


def _on_sqlite(url: URL, work: Callable[[Connection], T]) -> T:
    engine = create_engine(url.set(drivername="sqlite"))

    @event.listens_for(engine, "connect")
    def _leave_transactions_to_us(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


async def _on_postgres(url: URL, work: Callable[[Connection], T]) -> T:
    import asyncpg  # SQLite does without

    # The driver reads the address itself: SQLAlchemy knows few of its options, sslmode for one.
    address = url.difference_update_query([UPGRADE]).render_as_string(hide_password=False)
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=partial(asyncpg.connect, address)
    )
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()
