"""
How often one may call: a bucket of tokens for each caller, filled at a steady rate.

Time is an argument. Only so many buckets are kept: those of callers that were not heard of
for longest are forgotten, and such a caller begins with a full one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from attrs import define, field, frozen

from ..core.errors import InvalidConfig
from ..schemas.refusals import RateLimited

__all__ = ("Rate", "RateLimiter")

_US_PER_S: Final = 1_000_000


def _is_positive(_rate: object, attribute: Any, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise InvalidConfig(attribute.name, value, "a whole number, 1 or more")


@frozen(kw_only=True)
class Rate:
    """So many calls a second for each caller, and so many at once after a rest.

    Raises:
        InvalidConfig: A number is less than 1.
    """

    per_second: int = field(default=50, validator=_is_positive)
    burst: int = field(default=200, validator=_is_positive)


@define
class _Bucket:
    """Tokens are counted in microseconds' worth, so that nothing is rounded away."""

    level_us: int
    at_us: int


class RateLimiter:
    """The buckets of all callers.

    Args:
        most: How many are kept.
    """

    def __init__(self, rate: Rate, *, most: int = 10_000) -> None:
        self._us_per_call = _US_PER_S // rate.per_second
        self._full_us = self._us_per_call * rate.burst
        self._most = most
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: str, *, at_us: int) -> None:
        """Count one call of *caller*.

        Args:
            at_us: Microseconds on a clock that never runs backwards.

        Raises:
            RateLimited: There were too many; this one is not counted.
        """
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(self._full_us, at_us)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(caller)
        bucket.level_us = min(self._full_us, bucket.level_us + at_us - bucket.at_us)
        bucket.at_us = at_us
        if bucket.level_us < self._us_per_call:
            missing_us = self._us_per_call - bucket.level_us
            raise RateLimited(-(-missing_us // _US_PER_S))
        bucket.level_us -= self._us_per_call
