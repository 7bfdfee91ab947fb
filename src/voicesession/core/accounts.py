"""Who spends, how far they may, and where they stand. Frozen values; `budget` changes them."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any, Final, NewType

from attrs import field, frozen

from .errors import InvalidValue
from .fields import Vocabulary, is_count, is_text
from .identity import DEFAULT_TENANT, TenantId, is_id
from .instants import as_optional_utc
from .meters import Meter, Number, exact_fraction
from .windows import Window

__all__ = (
    "WARN_AT",
    "Account",
    "Balance",
    "Hold",
    "HoldId",
    "Level",
    "Limit",
    "Line",
    "Scope",
    "Standing",
    "windows_of",
)

HoldId = NewType("HoldId", str)

WARN_AT: Final = Fraction(4, 5)
"""The share of a limit at which it warns, unless it says otherwise."""


_LONGEST_NAME: Final = 256


class Scope(Vocabulary):
    """Whose account it is."""

    SESSION = "session"
    USER = "user"
    TENANT = "tenant"


class Level(Vocabulary):
    """How far a limit is used up."""

    OK = "ok"
    WARNED = "warned"
    EXHAUSTED = "exhausted"


def _is_a_name(account: Account, attribute: Any, value: Any) -> None:
    is_text(account, attribute, value)
    if not 1 <= len(value) <= _LONGEST_NAME:
        raise InvalidValue(attribute.name, value, f"1 to {_LONGEST_NAME} characters")


@frozen(cache_hash=True)
class Account:
    """Somebody or something that spends. The id is unique in its scope, in its tenant.

    Attributes:
        id: Of the session, of the user as the host names them, or of the tenant once more.
    """

    scope: Scope = field(converter=Scope)
    id: str = field(validator=_is_a_name)
    tenant_id: TenantId = field(default=DEFAULT_TENANT, validator=is_id)


def windows_of(account: Account, meter: Meter) -> tuple[Window, ...]:
    """Return the windows in which *account* counts *meter*, and may have limits."""
    if account.scope is Scope.SESSION or meter is Meter.SESSIONS:
        return (Window.SESSION,)
    return (Window.DAY, Window.MONTH)


def _is_counted(instance: Limit, _attribute: object, window: Window) -> None:
    counted = windows_of(instance.account, instance.meter)
    if window not in counted:
        raise InvalidValue("window", window, " or ".join(counted))


def _as_share(share: Number) -> Fraction:
    return exact_fraction("warn_at", share)


def _is_a_share(_instance: object, attribute: Any, share: Fraction) -> None:
    if not 0 < share <= 1:
        raise InvalidValue(attribute.name, share, "more than 0 and at most 1")


@frozen(kw_only=True)
class Limit:
    """What an account may spend on one meter in one window. Setting one arms it.

    Attributes:
        amount: In units of the meter. 0, or less than is spent, is exhausted at once.
        warn_at: The share of it at which it warns, exact; more than 0, and at most 1.
    """

    account: Account
    meter: Meter = field(converter=Meter)
    window: Window = field(converter=Window, validator=_is_counted)
    amount: int = field(validator=is_count)
    warn_at: Fraction = field(default=WARN_AT, converter=_as_share, validator=_is_a_share)

    def level_at(self, spent: int) -> Level:
        """Return how far it is used up when so much is spent."""
        if spent >= self.amount:
            return Level.EXHAUSTED
        # As a share, but without a fraction: this is asked with all that is booked.
        warns = spent * self.warn_at.denominator >= self.amount * self.warn_at.numerator
        return Level.WARNED if warns else Level.OK


@frozen(cache_hash=True)
class Line:
    """A line in the books: one account's spending on one meter in one period.

    Attributes:
        period: The name of a `windows.Period`.
    """

    account: Account
    meter: Meter
    window: Window
    period: str


@frozen
class Balance:
    """What stands in a line, in units of its meter."""

    spent: int = field(default=0, validator=is_count)
    held: int = field(default=0, validator=is_count)


@frozen(kw_only=True)
class Hold:
    """Something set aside, in each of its lines.

    Attributes:
        expires_at: When `expire` gives it back; None is never.
    """

    id: HoldId
    meter: Meter
    amount: int
    lines: tuple[Line, ...]
    expires_at: datetime | None = field(default=None, converter=as_optional_utc)

    def is_due(self, at: datetime) -> bool:
        """Whether it has expired at *at*."""
        return self.expires_at is not None and self.expires_at <= at


@frozen(kw_only=True)
class Standing:
    """Where an account stands in one window."""

    line: Line
    limit: Limit | None
    spent: int
    held: int

    @property
    def remaining(self) -> int | None:
        """What may still be reserved; None without a limit."""
        return None if self.limit is None else max(0, self.limit.amount - self.spent - self.held)

    @property
    def utilization(self) -> Fraction | None:
        """The share of the limit that is spent, exact; above 1 if more is; None without one."""
        if self.limit is None:
            return None
        return Fraction(self.spent, self.limit.amount) if self.limit.amount else Fraction(1)

    @property
    def level(self) -> Level:
        """OK without a limit. What is only held does not count."""
        return Level.OK if self.limit is None else self.limit.level_at(self.spent)
