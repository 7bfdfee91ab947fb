"""``voicesession budget``: what may be spent, and what has been."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from ..core.identity import DEFAULT_TENANT
from .failures import Debug, WrongUse, reported
from .opening import Json, Store, Tenant, ask, print_json
from .shown import amount_shown, currency_of

if TYPE_CHECKING:
    from ..core.accounts import Standing
    from ..core.meters import Meter
    from ..runtime.manager import SessionManager

__all__ = ("budget",)

budget: Final = typer.Typer(help="See, set and raise what may be spent.", no_args_is_help=True)

_Scope: TypeAlias = Annotated[
    str, typer.Argument(metavar="SCOPE", help="session, user or tenant.", show_default=False)
]
_Account: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="Whose; not needed for a tenant.")
]
_Meter: TypeAlias = Annotated[
    str,
    typer.Option(help="What is counted: audio_minutes, money_usd, or another meter."),
]
_Window: TypeAlias = Annotated[
    str | None, typer.Option(help="day or month; a session is limited as a whole.")
]

_MINUTES: Final = "audio_minutes"
_US_PER_MINUTE: Final = 60_000_000


@budget.command("show")
def show(  # one parameter for each option, as typer wants them
    scope: _Scope,
    account_id: _Account = None,
    *,
    store: Store,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show where an account stands, on every meter that it has used or that is limited."""

    async def standings(voice: SessionManager) -> Sequence[Standing]:
        from ..core.meters import Meter

        account = voice.budgets.account(scope, account_id)
        return await voice.budgets.standings(account, list(Meter))

    with reported(debug=debug):
        _print(ask(store, tenant, None, standings), as_json=as_json)


@budget.command("set")
def set_limit(  # noqa: PLR0913  # one parameter for each option, as typer wants them
    scope: _Scope,
    account_id: _Account = None,
    *,
    amount: Annotated[str, typer.Option(help="How much; minutes and money may have a fraction.")],
    warn_at: Annotated[
        str, typer.Option(metavar="SHARE", help="The share of it at which it warns.")
    ] = "0.8",
    store: Store,
    meter: _Meter = _MINUTES,
    window: _Window = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Set a limit, in place of the one before it. 0 lets nothing be spent."""

    async def arm(voice: SessionManager) -> Sequence[Standing]:
        from ..core.accounts import Limit

        account = voice.budgets.account(scope, account_id)
        counted, units = _units(meter, amount)
        limit = Limit(
            account=account,
            meter=counted,
            window=_window(scope, counted, window),
            amount=units,
            warn_at=warn_at,
        )
        await voice.budgets.set_limit(limit)
        return await voice.budgets.standings(account, [counted])

    with reported(debug=debug):
        _print(ask(store, tenant, None, arm), as_json=as_json)


@budget.command("raise")
def raise_limit(  # noqa: PLR0913  # one parameter for each option, as typer wants them
    scope: _Scope,
    account_id: _Account = None,
    *,
    by: Annotated[str, typer.Option(help="By how much; minutes and money may have a fraction.")],
    store: Store,
    meter: _Meter = _MINUTES,
    window: _Window = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Raise a limit. Sessions that it has paused go on by themselves within seconds."""

    async def lift(voice: SessionManager) -> Sequence[Standing]:
        account = voice.budgets.account(scope, account_id)
        counted, units = _units(meter, by)
        await voice.budgets.raise_limit(account, counted, _window(scope, counted, window), by=units)
        return await voice.budgets.standings(account, [counted])

    with reported(debug=debug):
        _print(ask(store, tenant, None, lift), as_json=as_json)


def _units(meter: str, amount: str) -> tuple[Any, int]:
    from ..core.meters import Meter, audio_us, exact_fraction
    from ..core.price import Money

    if meter == _MINUTES:
        return Meter.AUDIO_US, audio_us(amount)
    if currency := currency_of(meter):
        return Meter(meter), Money(exact_fraction(meter, amount), currency).units
    if not amount.isdecimal():
        raise WrongUse(f"{amount}: {meter} is counted in whole units")
    return Meter(meter), int(amount)


def _window(scope: str, meter: str, window: str | None) -> Any:
    from ..core.meters import Meter
    from ..core.windows import Window

    if window is not None:
        return Window(window)
    as_a_whole = scope == "session" or meter == Meter.SESSIONS
    return Window.SESSION if as_a_whole else Window.DAY


def _print(standings: Sequence[Standing], *, as_json: bool) -> None:
    if as_json:
        print_json({"standings": [_document(standing) for standing in standings]})
        return
    told = [one for one in standings if one.spent or one.held or one.limit is not None]
    for standing in told:
        print(_line(standing))
    if not told:
        print("nothing used, no limits")


def _line(standing: Standing) -> str:
    meter, share = standing.line.meter, standing.utilization
    used, reserved = (amount_shown(meter, units) for units in (standing.spent, standing.held))
    limit = standing.limit
    of = "no limit" if limit is None else f"of {amount_shown(meter, limit.amount)}"
    return (
        f"{_name(meter):<18} {standing.line.window:<8} {used} used, {reserved} reserved, {of}"
        + ("" if share is None else f"  {float(share):.0%}")
    )


def _name(meter: Meter) -> str:
    from ..core.meters import Meter

    return _MINUTES if meter is Meter.AUDIO_US else meter.value


def _document(standing: Standing) -> dict[str, Any]:
    from ..core.meters import Meter
    from ..core.price import MONEY_UNITS

    in_one = 1
    if standing.line.meter is Meter.AUDIO_US:
        in_one = _US_PER_MINUTE
    elif currency_of(standing.line.meter):
        in_one = MONEY_UNITS

    def units(amount: int | None) -> float | None:
        return amount if amount is None or in_one == 1 else amount / in_one

    return {
        "meter": _name(standing.line.meter),
        "window": standing.line.window,
        "used": units(standing.spent),
        "reserved": units(standing.held),
        "limit": None if standing.limit is None else units(standing.limit.amount),
        "remaining": units(standing.remaining),
        "utilization": None if standing.utilization is None else float(standing.utilization),
        "level": standing.level,
    }
