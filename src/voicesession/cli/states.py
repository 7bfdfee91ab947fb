"""``voicesession states``: what may happen to a session, from the table that decides it."""

from __future__ import annotations

from ..core.transitions import diagram

__all__ = ("states",)


def states() -> None:
    """Print the states of a session and the moves between them, as a Mermaid diagram."""
    print(diagram(), end="")
