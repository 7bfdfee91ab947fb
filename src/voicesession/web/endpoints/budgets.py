"""``/v1/budgets/{scope}/{id}``: what may be spent, and what has been."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ...core.accounts import Account, Limit, Scope
from ...core.errors import InvalidValue
from ...core.meters import Meter
from ...schemas.budgets import budget_document
from ...schemas.refusals import BadRequest, NotFound
from ...schemas.requests import LimitQuery, Nothing, SetLimit, TenantQuery
from ..access import foreign, user_meant, visible
from ..call import Answer, Call, json_answer
from ..principal import Reach

__all__ = ("drop_limit", "get", "set_limit")


async def get(call: Call[TenantQuery, Nothing]) -> Answer:
    """Return where an account stands, on each meter and in each window."""
    return await _standing(call, await _account(call))


async def set_limit(call: Call[TenantQuery, SetLimit]) -> Answer:
    """Set a limit, or raise it; a session that it has paused may then resume."""
    account, said = await _account(call), call.body
    if (said.amount is None) == (said.raise_by is None):
        raise BadRequest("amount", "one of `amount` and `raise_by`")
    if said.amount is not None:
        limit = Limit(
            account=account,
            meter=said.meter,
            window=said.window,
            amount=said.amount,
            warn_at=Fraction(str(said.warn_at)),
        )
        await call.voice.budgets.set_limit(limit)
    elif said.raise_by is not None:
        await call.voice.budgets.raise_limit(account, said.meter, said.window, by=said.raise_by)
    return await _standing(call, account)


async def drop_limit(call: Call[LimitQuery, Nothing]) -> Answer:
    """Let an account spend without a limit; nothing happens if there is none."""
    account = await _account(call)
    await call.voice.budgets.drop_limit(account, call.query.meter, call.query.window)
    return await _standing(call, account)


async def _standing(call: Call[Any, Any], account: Account) -> Answer:
    standings = await call.voice.budgets.standings(account, list(Meter))
    return json_answer(budget_document(account, standings))


async def _account(call: Call[Any, Any]) -> Account:
    """The account that the path names, if the caller may know of it."""
    named, account_id = call.request.values["scope"], call.request.values["id"]
    hidden = NotFound("there is no such account here")
    try:
        scope = Scope(named)
        account = call.voice.budgets.account(scope, account_id)
    except InvalidValue:
        raise hidden from None
    if scope is Scope.SESSION:
        await visible(call, session_id=account_id)
    elif scope is Scope.USER:
        user_meant(call, account_id)
    elif call.reach is not Reach.ALL:
        raise foreign(call, hidden)
    return account
