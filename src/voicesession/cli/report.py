"""What the demo says at its end: a page for people, or one line of JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..core.meters import Meter
from ..core.price import SessionCost
from .performance import Performance
from .timeline import clock_face
from .turns import Turn

__all__ = ("as_document", "print_summary")


def as_document(performance: Performance) -> dict[str, Any]:
    """Return the outcome as JSON; files that were not made are null."""
    session = performance.session
    return {
        "session_id": session.id,
        "state": session.state,
        "status": session.status,
        "end_reason": session.end_reason,
        "turns": [turn.document() for turn in performance.turns],
        "recording": _path(session.audio_uri),
        "transcript": _path(session.transcript_uri),
        "duration_s": session.audio_duration_seconds,
        "cost": _cost_document(performance.cost),
    }


def print_summary(performance: Performance, console: Console) -> None:
    """Print the turns, how it ended, and where everything is."""
    session = performance.session
    console.print()
    console.print(_turns(performance.turns) if performance.turns else "Nothing was said.")
    console.print()
    for name, value in _facts(performance):
        # Never folded: paths and commands are there to be copied.
        console.print(f"[dim]{name:<12}[/]{escape(value)}", highlight=False, soft_wrap=True)
    if session.error:
        console.print(f"[red]{'problem':<12}{escape(session.error)}[/]", soft_wrap=True)


def _turns(turns: Sequence[Turn]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("#", justify="right")
    table.add_column("heard", style="cyan")
    table.add_column("answered, as far as it was heard", style="green")
    table.add_column("after", justify="right")
    for number, turn in enumerate(turns, 1):
        answer = escape(turn.spoken) + (" [yellow]⟨interrupted⟩[/]" if turn.interrupted else "")
        document = turn.document()
        waited = document["latency_ms"]
        after = "" if waited is None else f"{waited} ms"
        table.add_row(str(number), escape(turn.heard), answer, after)
    return table


def _facts(performance: Performance) -> list[tuple[str, str]]:
    session = performance.session
    return [
        ("session", session.id),
        ("ended", f"{session.status} ({session.end_reason})"),
        ("duration", clock_face(session.audio_duration_us)),
        ("cost", _cost(performance.cost)),
        ("recording", _path(session.audio_uri) or "none"),
        ("transcript", _path(session.transcript_uri) or "none"),
        ("store", performance.store_url),
        ("look again", f"voicesession sessions list --store {performance.store_url}"),
    ]


def _cost(cost: SessionCost) -> str:
    used = {meter.value: amount for meter, amount in cost.used.items()}
    heard = clock_face(used.pop(Meter.AUDIO_US, 0))
    besides = "".join(f", {amount} {name.replace('_', ' ')}" for name, amount in used.items())
    unknown = f", and {cost.unpriced} charges that nobody knows the price of" * bool(cost.unpriced)
    money = f"{cost.known.rounded(4)} {cost.known.currency}"
    return f"{money} for {heard} of audio{besides}{unknown}"


def _cost_document(cost: SessionCost) -> dict[str, Any]:
    return {
        "amount": str(cost.known.rounded(6)),
        "currency": cost.known.currency,
        "unpriced": cost.unpriced,
        "used": dict(cost.used),
        "wasted": dict(cost.wasted),
    }


def _path(uri: str | None) -> str | None:
    return None if uri is None else str(Path(unquote(urlsplit(uri).path)))
