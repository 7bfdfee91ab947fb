"""``voicesession recover``: make whole what a crash has left."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.deadlines import LifePolicy
from ..core.identity import DEFAULT_TENANT
from .failures import FAILURE, Debug, reported
from .opening import Json, Recordings, Store, ask, print_json

if TYPE_CHECKING:
    from ..runtime.manager import SessionManager
    from ..runtime.rescue import Rescue, RescuedRecording

__all__ = ("recover",)

_US_PER_S = 1_000_000


def recover(
    *,
    store: Store,
    recordings: Recordings = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done with recordings; do nothing.")
    ] = False,
    grace: Annotated[
        float,
        typer.Option(
            envvar="VOICESESSION_RECONNECT_GRACE_SECONDS",
            min=0,
            help="For how many seconds a client may still come back.",
        ),
    ] = 30,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """End the sessions that a dead worker has left, and finish their recordings.

    What lives is never touched, so it may be run at any time, twice, and on many machines.
    """
    from ..runtime.rescue import Fate

    with reported(debug=debug):
        life = LifePolicy(reconnect_grace=timedelta(seconds=grace))
        wish = _plan if dry_run else _rescue(as_json)
        found = ask(store, DEFAULT_TENANT, recordings, wish, life=life)
        if as_json:
            print_json(_document(found, dry_run=dry_run))
        else:
            _print(found, dry_run=dry_run)
        if any(one.fate is Fate.FAILED for one in found.recordings):
            raise typer.Exit(FAILURE)


async def _plan(voice: SessionManager) -> Rescue:
    from ..runtime.rescue import Rescue

    return Rescue(recordings=await voice.rescuer.plan())


def _rescue(as_json: bool) -> Any:
    async def rescue(voice: SessionManager) -> Rescue:
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), disable=as_json, transient=True) as bars:
            bar = bars.add_task("recordings", total=None)
            return await voice.rescuer.rescue(
                on_progress=lambda done, of: bars.update(bar, completed=done, total=of)
            )

    return rescue


def _document(found: Rescue, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "sessions": list(found.sessions),
        "swept": found.swept,
        "recordings": [
            {
                "session_id": one.session_id,
                "tenant_id": one.tenant_id,
                "fate": one.fate,
                "duration_seconds": one.duration_us / _US_PER_S,
                "detail": one.detail,
            }
            for one in found.recordings
        ],
    }


def _print(found: Rescue, *, dry_run: bool) -> None:
    for one in found.recordings:
        print(_line(one))
    counts = Counter(one.fate for one in found.recordings)
    told = ", ".join(f"{count} {fate}" for fate, count in sorted(counts.items())) or "none"
    if dry_run:
        print(f"recordings: {told} (nothing was done)")
    else:
        swept = f"; left-overs removed: {found.swept}" if found.swept else ""
        print(f"sessions looked after: {len(found.sessions)}; recordings: {told}{swept}")


def _line(one: RescuedRecording) -> str:
    detail = f"  {one.detail}" if one.detail else ""
    return f"{one.session_id:<37}  {one.fate:<8}  {one.duration_us / _US_PER_S:9.2f} s{detail}"
