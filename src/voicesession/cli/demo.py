"""``voicesession demo``: a whole conversation, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from .failures import FAILURE, Debug, reported

__all__ = ("demo",)

_DEFAULT_OUT: Final = Path("voicesession-demo")


def demo(
    *,
    wav: Annotated[
        Path | None,
        typer.Option(
            help="Let this file call: PCM WAV, 8 to 48 kHz, mono or stereo, 8, 16 or 24 bit. "
            "Without it a caller with a script speaks, and interrupts."
        ),
    ] = None,
    grammar: Annotated[
        Path | None,
        typer.Option(
            help="What may be said, as JSGF. The agent then answers 'You said ...'. "
            "Without it the agent understands what the scripted caller says."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for voice.db and recordings/.")] = _DEFAULT_OUT,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="At the speed of speech, not as fast as it computes.")
    ] = False,
    budget: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Seconds of audio to spend; then it pauses, is given as much again, and goes on.",
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="End with one line of JSON; the timeline goes to stderr."),
    ] = False,
    debug: Debug = False,
) -> None:
    """Hold a spoken conversation on this machine: real engines, no network.

    Shows what happens while it happens, and leaves behind a session in a SQLite file, a
    recording (WAV) and a transcript (JSON).

    Latency runs from the caller's last sound to the agent's first, with the time that the
    engines took added where the clock of the session stands still while they work.
    """
    with reported(debug=debug):
        import anyio
        from rich.console import Console

        from .performance import Request, perform
        from .report import as_document, print_summary

        console = Console(stderr=as_json)
        request = Request(wav=wav, grammar=grammar, out=out, realtime=realtime, budget_s=budget)
        performance = anyio.run(perform, request, console)
        print_summary(performance, console)
        if as_json:
            print(json.dumps(as_document(performance), ensure_ascii=False))
        if performance.signal is not None:
            raise typer.Exit(128 + performance.signal)
        if performance.session.error:
            raise typer.Exit(FAILURE)
