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
app.command()(demo)
app.command()(states)
app.command()(recover)
app.command()(doctor)
app.command()(serve)
app.command()(token)
app.add_typer(sessions, name="sessions")
app.add_typer(budget, name="budget")
app.add_typer(templates, name="templates")
app.add_typer(db, name="db")
