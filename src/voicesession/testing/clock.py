"""Time for tests: it stands still until the test turns it."""

from ..runtime.clock import SteppedClock

__all__ = ("SteppedClock",)
