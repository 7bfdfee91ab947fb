"""Sessions over documents: commits, leases, lists and burials, each in its own module."""

from __future__ import annotations

from .burials import Burials
from .commits import Commits
from .leases import Leases
from .lists import Lists

__all__ = ("DocumentSessions",)


class DocumentSessions(Commits, Leases, Lists, Burials):
    """See `SessionStore` and `TombstoneReader`."""
