"""What stands beside sessions, as flat documents and back: templates, tasks, and the books."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from ..core.accounts import Account, Balance, Hold, HoldId, Limit, Line, Scope
from ..core.books import line_named
from ..core.identity import TenantId
from ..core.instants import from_us, to_us
from ..core.meters import Meter
from ..core.tasks import Task
from ..core.templates import SessionTemplate
from ..core.windows import Window
from .codec import Document, Stored, readable

__all__ = (
    "account_document",
    "hold_document",
    "limit_document",
    "line_document",
    "parse_account",
    "parse_balance",
    "parse_hold",
    "parse_limit",
    "parse_limited",
    "parse_task",
    "parse_template",
    "task_document",
    "template_document",
)

_TASK_INSTANTS = ("created_at", "updated_at", "due_at")
_TASK_FIELDS = (
    *("id", "session_id", "tenant_id", "type", "state", "attempts", "result_uri"),
    "error_message",
)
_TEMPLATE_INSTANTS = ("created_at", "updated_at")
_TEMPLATE_FIELDS = (
    *("id", "tenant_id", "name", "modality_profile", "language", "model"),
    *("max_active_us", "max_wall_clock_us", "audio_budget_us"),
)


def task_document(task: Task) -> Document:
    """Return *task* as a flat document."""
    return {
        **_plain(task, _TASK_FIELDS),
        **{name: to_us(getattr(task, name)) for name in _TASK_INSTANTS},
        "state": task.state.value,
        "payload": task.payload_json,
    }


def parse_task(document: Stored) -> Task:
    """Return the task that was stored as *document*.

    Raises:
        StoreError: It cannot be read.
    """
    with readable("task"):
        values: Document = {name: document[name] for name in _TASK_FIELDS}
        values |= {name: from_us(document[name]) for name in _TASK_INSTANTS}
        return Task(**values, payload_json=document["payload"])


def template_document(template: SessionTemplate) -> Document:
    """Return *template* as a flat document."""
    panels = template.enabled_panels
    return {
        **_plain(template, _TEMPLATE_FIELDS),
        **{name: to_us(getattr(template, name)) for name in _TEMPLATE_INSTANTS},
        "enabled_panels": None if panels is None else json.dumps(panels, ensure_ascii=False),
        "agent_metadata": template.agent_metadata_json,
    }


def parse_template(document: Stored) -> SessionTemplate:
    """Return the template that was stored as *document*.

    Raises:
        StoreError: It cannot be read.
    """
    with readable("template"):
        values: Document = {name: document[name] for name in _TEMPLATE_FIELDS}
        values |= {name: from_us(document[name]) for name in _TEMPLATE_INSTANTS}
        panels = document["enabled_panels"]
        return SessionTemplate(
            **values,
            enabled_panels=None if panels is None else json.loads(panels),
            agent_metadata_json=document["agent_metadata"],
        )


# --- the books: documents of one account, limit, line, balance or hold --------------------------


def account_document(account: Account) -> Document:
    """Return *account* as a flat document."""
    return {
        "tenant_id": account.tenant_id,
        "scope": account.scope.value,
        "account_id": account.id,
    }


def parse_account(document: Stored) -> Account:
    """Return the account that *document* names."""
    with readable("account"):
        return _account_in(document)


def _account_in(document: Stored) -> Account:
    return _account(document["scope"], document["account_id"], document["tenant_id"])


# Each entry of a session names the same few accounts, limits and lines again.
@lru_cache(maxsize=1024)
def _account(scope: str, account_id: str, tenant_id: str) -> Account:
    return Account(Scope(scope), account_id, TenantId(tenant_id))


@lru_cache(maxsize=1024)
def _limit(account: Account, meter: str, window: str, amount: int, warn_at: str) -> Limit:
    return Limit(
        account=account,
        meter=Meter(meter),
        window=Window(window),
        amount=amount,
        warn_at=Fraction(warn_at),
    )


def limit_document(limit: Limit) -> Document:
    """Return *limit* as a flat document; ``warn_at`` is an exact fraction, as text."""
    return {
        **account_document(limit.account),
        "meter": limit.meter.value,
        "window": limit.window.value,
        "amount": limit.amount,
        "warn_at": str(limit.warn_at),
    }


def parse_limit(document: Stored) -> Limit:
    """Return the limit that was stored as *document*.

    Raises:
        StoreError: It cannot be read.
    """
    with readable("limit"):
        return _limit_in(document)


def _limit_in(document: Stored) -> Limit:
    named = (document[name] for name in ("meter", "window", "amount", "warn_at"))
    return _limit(_account_in(document), *named)


@lru_cache(maxsize=4096)
def line_document(line: Line) -> Mapping[str, Any]:
    """Return the name of *line* as a flat document, which others read as well."""
    return {
        **account_document(line.account),
        "meter": line.meter.value,
        "window": line.window.value,
        "period": line.period,
    }


def _line_in(document: Stored) -> Line:
    meter, window = Meter(document["meter"]), Window(document["window"])
    return line_named(_account_in(document), meter, window, document["period"])


def parse_balance(document: Stored) -> tuple[Line, Balance]:
    """Return the line and what stands in it.

    Raises:
        StoreError: It cannot be read.
    """
    with readable("balance"):
        return _line_in(document), Balance(document["spent"], document["held"])


def parse_limited(document: Stored) -> tuple[Limit, Line, Balance]:
    """Return a limit, the line that it bounds in one period, and what stands in that.

    Raises:
        StoreError: They cannot be read.
    """
    with readable("limit"):
        limit = _limit_in(document)
        line = line_named(limit.account, limit.meter, limit.window, document["period"])
        return limit, line, Balance(document["spent"], document["held"])


def hold_document(hold: Hold) -> Document:
    """Return *hold* as a flat document, with the one session that it belongs to, if any."""
    return {
        "id": hold.id,
        "meter": hold.meter.value,
        "amount": hold.amount,
        "expires_at": None if hold.expires_at is None else to_us(hold.expires_at),
        **_lines_document(hold.lines),
    }


# The slices of a session are held in the same lines, one after the other, until its day is over.
@lru_cache(maxsize=1024)
def _lines_document(lines: tuple[Line, ...]) -> Document:
    (tenant_id,) = {line.account.tenant_id for line in lines}
    sessions = {line.account.id for line in lines if line.account.scope is Scope.SESSION}
    return {
        "tenant_id": tenant_id,
        "session_id": next(iter(sessions), None),
        "lines": json.dumps([line_document(line) for line in lines], ensure_ascii=False),
    }


def parse_hold(document: Stored) -> Hold:
    """Return the hold that was stored as *document*.

    Raises:
        StoreError: It cannot be read.
    """
    with readable("hold"):
        expires_at = document["expires_at"]
        return Hold(
            id=HoldId(document["id"]),
            meter=Meter(document["meter"]),
            amount=document["amount"],
            lines=_parse_lines(document["lines"]),
            expires_at=None if expires_at is None else from_us(expires_at),
        )


@lru_cache(maxsize=1024)
def _parse_lines(text: str) -> tuple[Line, ...]:
    lines: list[Mapping[str, Any]] = json.loads(text)
    return tuple(map(_line_in, lines))


def _plain(value: object, names: tuple[str, ...]) -> Document:
    return {name: getattr(value, name) for name in names}
