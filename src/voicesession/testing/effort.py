"""How hard a property tries that knows better than the profile what one example of it costs."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

__all__ = ("examples",)

USUAL_EXAMPLES: Final = 100
"""What hypothesis tries where nobody says otherwise."""


def examples(count: int) -> int:
    """Return *count* for a profile of usual effort; it grows and shrinks with the profile's own.

    So ``@settings(max_examples=examples(40))`` asks for 1 200 where the profile
    asks for 3 000. The profile has to be loaded before.
    """
    return max(1, count * settings().max_examples // USUAL_EXAMPLES)
