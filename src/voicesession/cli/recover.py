"""``voicesession recover``: make whole what a crash has left, or say what would be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.deadlines import LifePolicy
from ..core.identity import DEFAULT_TENANT
from .failures import FAILURE, Debug, reported
from .opening import LEASE, Json, Recordings, Store, ask, print_json

if TYPE_CHECKING:
    from ..runtime.manager import SessionManager
    from ..runtime.rescue import Rescue, RescuedRecording

__all__ = ("recover",)

_US_PER_S = 1_000_000
_PLANNING_TAKES_AT_MOST = timedelta(hours=24)
"""Until then nothing looks after sessions beside us, and changes what we only look at."""


def recover(
    *,
    store: Store,
    recordings: Recordings = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; do nothing.")
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
        wish, lease = (_plan, _PLANNING_TAKES_AT_MOST) if dry_run else (_rescue(as_json), LEASE)
        found = ask(store, DEFAULT_TENANT, recordings, wish, life=life, lease=lease)
        if as_json:
            print_json(_document(found, dry_run=dry_run))
        else:
            _print(found, dry_run=dry_run)
        if any(one.fate is Fate.FAILED for one in found.recordings):
            raise typer.Exit(FAILURE)


async def _plan(voice: SessionManager) -> Rescue:
    return await voice.rescuer.plan()


def _rescue(as_json: bool) -> Any:
    async def rescue(voice: SessionManager) -> Rescue:
        from rich.console import Console
        from rich.progress import Progress

        screen = Console(stderr=True)
        is_hidden = as_json or not screen.is_terminal
        with Progress(console=screen, disable=is_hidden, transient=True) as bars:
            bar = bars.add_task("recordings", total=None)
            return await voice.rescuer.rescue(
                on_progress=lambda done, of: bars.update(bar, completed=done, total=of)
            )

    return rescue


def _document(found: Rescue, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "sessions": [
            {"session_id": session_id, "fate": fate} for session_id, fate in found.fates.items()
        ],
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
        "swept": [
            {"kind": one.kind, "key": one.key, "since": one.since.isoformat()}
            for one in found.swept
        ],
    }


def _print(found: Rescue, *, dry_run: bool) -> None:
    for session_id, fate in found.fates.items():
        print(f"session    {session_id:<37}  {fate}")
    for recording in found.recordings:
        print(f"recording  {_line(recording)}")
    for one in found.swept:
        print(f"{one.kind:<9}  {one.key}  since {one.since:%Y-%m-%d %H:%M}")
    told = "; ".join(
        (
            f"sessions: {_counted(found.fates.values())}",
            f"recordings: {_counted(one.fate for one in found.recordings)}",
            f"swept: {_counted(one.kind for one in found.swept)}",
        )
    )
    print(f"{told} (nothing was done)" if dry_run else told)


def _counted(kinds: Iterable[str]) -> str:
    counts = Counter(kinds)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "none"


def _line(one: RescuedRecording) -> str:
    detail = f"  {one.detail}" if one.detail else ""
    return f"{one.session_id:<37}  {one.fate:<8}  {one.duration_us / _US_PER_S:9.2f} s{detail}"
