"""
How long to wait before the same call is made again. The draw is an argument: this draws none.

The wait doubles from one retry to the next, up to the longest. A part of it is left to
chance, so that callers who failed together do not come back together ("equal jitter" in
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import field, frozen

from .errors import InvalidValue
from .fields import is_count

__all__ = ("Backoff",)

_SECOND_US: Final = 1_000_000


def _is_a_share(_instance: object, attribute: Any, share: float) -> None:
    if not 0 <= share <= 1:
        raise InvalidValue(attribute.name, share, "a number from 0 to 1")


def _is_not_shorter(instance: Backoff, attribute: Any, longest_us: int) -> None:
    if longest_us < instance.first_us:
        raise InvalidValue(attribute.name, longest_us, f"{instance.first_us} (first_us) or more")


@frozen(kw_only=True)
class Backoff:
    """How often to try again, and how long to wait before each time.

    Attributes:
        retries: Calls after the first one; 0 never tries again.
        first_us: The wait before the first retry, in microseconds.
        longest_us: No wait is longer.
        jitter: The share of a wait that is left to chance, 0 to 1.

    Raises:
        InvalidValue: A number is out of its range.
    """

    retries: int = field(default=3, validator=is_count)
    first_us: int = field(default=_SECOND_US, validator=is_count)
    longest_us: int = field(default=30 * _SECOND_US, validator=[is_count, _is_not_shorter])
    jitter: float = field(default=0.5, validator=_is_a_share)

    def delay_us(self, retry: int, draw: float) -> int:
        """Return the microseconds to wait before *retry*, the first of which is 0.

        Args:
            draw: Drawn evenly from 0 up to 1: at 0 the wait is full, and from there it gets
                shorter by up to ``jitter`` of it.

        Raises:
            InvalidValue: *retry* is negative, or *draw* outside its range.
        """
        if retry < 0:
            raise InvalidValue("retry", retry, "0 or more")
        if not 0 <= draw <= 1:
            raise InvalidValue("draw", draw, "a number from 0 to 1")
        # After so many doublings it is the longest anyway.
        doublings = min(retry, self.longest_us.bit_length())
        full_us = min(self.first_us << doublings, self.longest_us)
        return full_us - int(full_us * self.jitter * draw)

    def delays_us(self, draws: Iterable[float]) -> Iterator[int]:
        """Yield the wait before each retry; ends after the last, or with the draws.

        Raises:
            InvalidValue: A draw lies outside its range.
        """
        for retry, draw in zip(range(self.retries), draws, strict=False):
            yield self.delay_us(retry, draw)
