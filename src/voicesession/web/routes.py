"""
Everything that HTTP can do: one table.

The adapters, the OpenAPI document, the page of the docs and the tests that try each call as a
stranger are made from it; nothing else may hold a second copy of it.
"""

from __future__ import annotations

from typing import Final

from .routing import Route
from .session_routes import SESSION_ROUTES
from .standing_routes import STANDING_ROUTES

__all__ = ("ROUTES", "SESSION_ROUTES", "STANDING_ROUTES")

ROUTES: Final[tuple[Route, ...]] = SESSION_ROUTES + STANDING_ROUTES
