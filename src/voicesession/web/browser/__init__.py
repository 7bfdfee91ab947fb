"""
The ES module for browsers, served by the application that browsers talk to.

>>> app = Starlette(routes=[*browser_routes(), *voice_routes(voice, pipeline=make_pipeline)])

A page imports ``/voicesession/voicesession.js``. Nothing is built, and nothing is fetched
from elsewhere. ``constants.js`` is written from the models of the messages.
"""

from __future__ import annotations

from .constants import constants_module
from .serving import browser_routes, page_routes

__all__ = ("browser_routes", "constants_module", "page_routes")
