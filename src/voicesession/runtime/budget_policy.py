"""What a session does when a budget is used up, as the host wants it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from attrs import field, frozen

from ..core.errors import InvalidConfig

__all__ = ("BudgetPolicy",)

_NOTHING: Final = timedelta()


def _flag(_instance: object, attribute: Any, value: Any) -> None:
    if type(value) is not bool:
        raise InvalidConfig(attribute.name, value, "true or false")


def _duration(_instance: object, attribute: Any, value: Any) -> None:
    if not isinstance(value, timedelta) or value < _NOTHING:
        raise InvalidConfig(attribute.name, value, "a timedelta, 0 or more")


@frozen(kw_only=True)
class BudgetPolicy:
    """How sessions deal with their budgets. At which share a limit warns, the limit says itself.

    Attributes:
        last_words: For how long the agent may go on with what it is saying when nothing is left;
            0 cuts it short. The caller is not heard meanwhile.
        resumes: A session goes on by itself once there is room again. If not, somebody has to
            resume it.
        allow_unpriced: Engines whose price nobody knows may be used although money is limited.

    Raises:
        InvalidConfig: A setting is not allowed; the error names it.
    """

    last_words: timedelta = field(default=timedelta(seconds=10), validator=_duration)
    resumes: bool = field(default=True, validator=_flag)
    allow_unpriced: bool = field(default=False, validator=_flag)
