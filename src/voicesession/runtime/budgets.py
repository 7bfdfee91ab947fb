"""The books of one tenant, for whoever sets limits, counts usage or wants to see where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..core.accounts import Account, Level, Limit, Scope, Standing
from ..core.budget import budget_status
from ..core.errors import InvalidValue
from ..core.identity import TenantId
from ..core.ledger import LedgerEntry
from ..core.meters import Meter, Number, audio_us
from ..core.session import Session
from ..core.windows import Window
from .services import Services

__all__ = ("BudgetTracker", "accounts_of")

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


class BudgetTracker:
    """Sets limits and counts usage; `SessionManager.budgets` is the one of its tenant.

    A *meter* is one of `voicesession.core.meters.Meter`; amounts are whole units of it, and
    microseconds for audio. A user is limited by ``day`` or ``month``, and so is a tenant; a
    session as a whole, by ``session``. Users and tenants need not exist before.

    Every method raises StoreError where the ledger cannot do what it is asked.
    """

    def __init__(self, services: Services, tenant_id: TenantId) -> None:
        self._ledger = services.storage.ledger
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

        Raises:
            InvalidValue: It is a limit of another tenant.
        """
        if limit.account.tenant_id != self._tenant_id:
            raise InvalidValue("tenant_id", limit.account.tenant_id, str(self._tenant_id))
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

    def _check_own(self, account: Account) -> None:
        if account.tenant_id != self._tenant_id:
            raise InvalidValue("tenant_id", account.tenant_id, str(self._tenant_id))
