"""The books of one tenant, for whoever sets limits, counts usage or wants to see where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ..core.accounts import Account, Level, Limit, Scope, Standing
from ..core.budget_status import budget_status
from ..core.errors import InvalidConfig, InvalidValue
from ..core.identity import TenantId
from ..core.ledger import LedgerEntry
from ..core.meters import MONEY, Meter, Number, audio_us
from ..core.price import SessionCost, money_meter, session_cost
from ..core.session import DailyRemaining, Session
from ..core.windows import Window
from ..ports.ledger import BudgetLedger
from ..ports.prices import PriceBook
from .home import Home, at_home
from .services import Services

__all__ = ("BudgetTracker", "accounts_of", "currency_of", "left_today")

_SHOWN: Final = (Meter.AUDIO_US, Meter.VIDEO_TOKENS, Meter.SCREEN_TOKENS)
_SPENT: Final = tuple(meter for meter in Meter if meter is not Meter.SESSIONS)


def accounts_of(session: Session) -> tuple[Account, ...]:
    """Return every account that *session* spends from: its own, its user's and its tenant's."""
    tenant = session.tenant_id
    own = Account(Scope.SESSION, session.id, tenant)
    everybody = Account(Scope.TENANT, tenant, tenant)
    if session.user_id is None:
        return own, everybody
    return own, Account(Scope.USER, session.user_id, tenant), everybody


def currency_of(prices: PriceBook | None) -> str:
    """Return what a cost is told in.

    Raises:
        InvalidConfig: There are no prices.
    """
    if prices is None:
        raise InvalidConfig("prices", None, "a price book, to know what anything costs")
    return prices.currency


async def left_today(ledger: BudgetLedger, account: Account, *, at: datetime) -> dict[str, Any]:
    """Return the fields of a session that say what is left of the day of *account*.

    Raises:
        StoreError: The ledger does not say.
    """
    found = await ledger.standings([account], _SHOWN, at=at)
    left = {each.line.meter: each.remaining for each in found if each.line.window is Window.DAY}
    if all(amount is None for amount in left.values()):
        return {"daily_budget_remaining": None}
    return {
        "daily_budget_remaining": DailyRemaining(
            audio_us=left[Meter.AUDIO_US],
            video_tokens=left[Meter.VIDEO_TOKENS],
            screen_tokens=left[Meter.SCREEN_TOKENS],
        )
    }


@at_home
class BudgetTracker:
    """Sets limits and counts usage; `SessionManager.budgets` is the one of its tenant.

    A *meter* is one of `voicesession.core.meters.Meter`; amounts are whole units of it, and
    microseconds for audio. A user is limited by ``day`` or ``month``, and so is a tenant; a
    session as a whole, by ``session``. Users and tenants need not exist before.

    Every method raises StoreError where the ledger cannot do what it is asked.
    """

    def __init__(self, services: Services, home: Home, tenant_id: TenantId) -> None:
        self._home = home
        self._ledger = services.storage.ledger
        self._prices = services.prices
        self._clock = services.clock
        self._tenant_id = tenant_id

    def account(self, scope: str, account_id: str | None = None) -> Account:
        """Return the account of a session, a user, or of this tenant itself.

        Raises:
            InvalidValue: There is no such scope, or the id is missing or cannot be one.
        """
        if Scope(scope) is Scope.TENANT:
            if account_id not in (None, self._tenant_id):
                raise InvalidValue("account_id", account_id, f"{self._tenant_id}, or None")
            account_id = self._tenant_id
        if account_id is None:
            raise InvalidValue("account_id", None, f"the id of a {scope}")
        return Account(Scope(scope), account_id, self._tenant_id)

    async def set_limit(self, limit: Limit) -> Sequence[Standing]:
        """Arm *limit*; return where it stands, if that is a warning or exhaustion at once.

        A limit on money is in units of `Money.units`, on the meter of its currency.

        Raises:
            InvalidValue: It is a limit of another tenant, or on money in another currency than
                the prices are in.
        """
        self._check_own(limit.account)
        self._check_currency(limit.meter)
        return await self._ledger.set_limit(limit, at=self._clock.now())

    async def raise_limit(
        self, account: Account, meter: str, window: str, *, by: int
    ) -> Sequence[Standing]:
        """Arm a limit anew, *by* units higher. A session that it has paused may then resume.

        Raises:
            InvalidValue: There is no such limit, or *by* is not a positive whole number.
        """
        self._check_own(account)
        return await self._ledger.raise_limit(
            account, Meter(meter), Window(window), by=by, at=self._clock.now()
        )

    async def drop_limit(self, account: Account, meter: str, window: str) -> None:
        """Let *account* spend without this limit; nothing happens if there is none."""
        self._check_own(account)
        await self._ledger.drop_limit(account, Meter(meter), Window(window))

    async def set_zone(self, account: Account, zone: str) -> None:
        """Let the days and months of *account* begin at midnight in *zone*; UTC is the default.

        Raises:
            InvalidValue: There is no such time zone.
        """
        self._check_own(account)
        await self._ledger.set_zone(account, zone)

    async def standings(
        self, account: Account, meters: Sequence[Meter] = _SHOWN
    ) -> Sequence[Standing]:
        """Return where *account* stands now, by meter and by window."""
        self._check_own(account)
        return await self._ledger.standings([account], meters, at=self._clock.now())

    async def exhausted(self, session: Session) -> Sequence[Standing]:
        """Return which limits hold *session* back: nothing is left of them."""
        found = await self._ledger.standings(accounts_of(session), _SPENT, at=self._clock.now())
        return [standing for standing in found if standing.level is Level.EXHAUSTED]

    async def track_usage(
        self,
        user_id: str,
        *,
        audio_minutes: Number = 0,
        counts: Mapping[str, int] | None = None,
    ) -> Sequence[Standing]:
        """Book what a user has used already; return where a limit has risen by that.

        Args:
            audio_minutes: An exact number, rounded to whole microseconds: ``5.5``, ``"0.1"``.
            counts: Whole units of other meters: ``{"video_tokens": 1200}``.

        Raises:
            InvalidValue: A number is negative, a count has a fraction, or there is no such
                meter.
        """
        used = {Meter(meter): amount for meter, amount in (counts or {}).items()}
        used[Meter.AUDIO_US] = used.get(Meter.AUDIO_US, 0) + audio_us(audio_minutes)
        accounts = (self.account(Scope.USER, user_id), self.account(Scope.TENANT))
        entry = LedgerEntry(at=self._clock.now(), accounts=accounts, charge=used)
        return (await self._ledger.post(entry)).risen

    async def get_budget_status(self, user_id: str) -> dict[str, dict[str, float | None]]:
        """Return where a user stands, as a JSON object; see `core.budget.budget_status`.

        ``audio_minutes``, ``video_tokens`` and ``screen_tokens``, each with ``used``,
        ``reserved``, ``limit``, ``remaining`` and ``utilization``.
        """
        return budget_status(await self.standings(self.account(Scope.USER, user_id)))

    async def cost(self, session_id: str) -> SessionCost:
        """Return what a session has used and what it costs, also while it runs: what is booked.

        Of a live session that is up to two minutes old. `SessionHandle.cost` knows it to
        this moment.

        Raises:
            InvalidConfig: This worker has no prices.
            InvalidValue: The session was charged in another currency.
        """
        currency = currency_of(self._prices)
        found = await self.standings(self.account(Scope.SESSION, session_id), tuple(Meter))
        spent = {standing.line.meter: standing.spent for standing in found}
        return session_cost(spent, currency=currency)

    def _check_currency(self, meter: Meter) -> None:
        if self._prices is None or meter not in MONEY:
            return
        if meter is not money_meter(self._prices.currency):
            allowed = f"{money_meter(self._prices.currency)}, as prices are"
            raise InvalidValue("meter", meter.value, allowed)

    def _check_own(self, account: Account) -> None:
        if account.tenant_id != self._tenant_id:
            raise InvalidValue("tenant_id", account.tenant_id, str(self._tenant_id))
