"""
What OpenTelemetry is told, live: metrics of few series, and spans that name their session.

* ``instruments``: every instrument, with its unit and its labels; the docs are held equal.
* ``reporting``: what a worker reports, of its operations and of the sessions that it runs.
* ``watching``: one session, followed by what it tells its listeners.

Nothing in here is on the audio path: a frame tells nobody anything.
"""

from .instruments import INSTRUMENTS, Instrument, Kind
from .reporting import Telemetry
from .watching import SessionWatch

__all__ = ("INSTRUMENTS", "Instrument", "Kind", "SessionWatch", "Telemetry")
