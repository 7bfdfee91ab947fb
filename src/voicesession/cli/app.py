"""All commands under one name. Each loads what it needs when it is called, and not before."""

from __future__ import annotations

from typing import Final

import typer

from .budget import budget
from .db import db
from .demo import demo
from .doctor import doctor
from .recover import recover
from .serve import serve
from .sessions import sessions
from .states import states
from .templates import templates
from .token import token

__all__ = ("app",)

app: Final = typer.Typer(
    name="voicesession",
    help="Durable voice sessions: run one, look at those that were kept.",
    no_args_is_help=True,
    add_completion=False,
    # Tracebacks are for --debug, and then plain ones.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(short_help="Hold a spoken conversation on this machine, offline.")(demo)
app.command(short_help="Draw the states of a session.")(states)
app.command(short_help="Take care of what a crash has left.")(recover)
app.command(short_help="Try every part that the settings name.")(doctor)
app.command(short_help="Serve sessions over HTTP and WebSocket.")(serve)
app.command(short_help="Make a token or a key for a caller of the server.")(token)
app.add_typer(sessions, name="sessions")
app.add_typer(budget, name="budget")
app.add_typer(templates, name="templates")
app.add_typer(db, name="db")
