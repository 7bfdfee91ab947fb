"""``voicesession db``: the tables of a SQL store, brought up to date and checked."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import typer

from .failures import FAILURE, Debug, WrongUse, reported
from .opening import Json, Store, print_json, require_file

__all__ = ("db",)

db: Final = typer.Typer(
    help="Bring the tables of a SQL store up to date; see at which revision they are.",
    no_args_is_help=True,
)

_Schema: TypeAlias = Annotated[
    str | None, typer.Option(help="Where the tables lie in PostgreSQL, if not where it looks.")
]


@db.command("upgrade")
def upgrade(
    *, store: Store, schema: _Schema = None, as_json: Json = False, debug: Debug = False
) -> None:
    """Bring the tables up to date, or make them. Either all of it happens or nothing."""
    with reported(debug=debug):
        _require_sql(store)
        from ..stores.sql import migration

        before = migration.current(store, schema=schema)
        after = migration.upgrade(store, schema=schema)
        if as_json:
            print_json({"before": before, "revision": after})
        elif before == after:
            print(f"up to date: revision {after}")
        else:
            print(f"upgraded: revision {before or 'none'} → {after}")


@db.command("current")
def current(
    *, store: Store, schema: _Schema = None, as_json: Json = False, debug: Debug = False
) -> None:
    """Tell the revision of the tables."""
    with reported(debug=debug):
        _require_sql(store)
        require_file(store)
        from ..stores.sql import migration

        revision = migration.current(store, schema=schema)
        if as_json:
            print_json({"revision": revision})
        else:
            print(
                f"revision {revision}" if revision else "no tables: run `voicesession db upgrade`"
            )


@db.command("check")
def check(
    *, store: Store, schema: _Schema = None, as_json: Json = False, debug: Debug = False
) -> None:
    """Tell how the tables differ from what they should be; exit with 1 if they do."""
    with reported(debug=debug):
        _require_sql(store)
        require_file(store)
        from ..stores.sql import migration

        differences = list(migration.check(store, schema=schema))
        if as_json:
            print_json({"differences": differences})
        else:
            print("\n".join(differences) or "the tables are as they should be")
        if differences:
            raise typer.Exit(FAILURE)


def _require_sql(store: str) -> None:
    scheme = store.partition("://")[0]
    if scheme not in {"sqlite", "postgresql"}:
        raise WrongUse(f"{scheme}://…: only sqlite:// and postgresql:// have tables")
