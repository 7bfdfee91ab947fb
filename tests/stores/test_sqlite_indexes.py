"""Lists and counts read an index, not the table."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from voicesession.core.states import SessionState, SessionStatus
from voicesession.ports.storage import EVERYTHING, Order, SessionQuery
from voicesession.stores.pages import position_of
from voicesession.stores.sql import SqliteStorage, lists
from voicesession.stores.sql.sqlite.dialect import SqliteDialect
from voicesession.stores.sql.statement import Statement
from voicesession.testing.contracts.storage.examples import HOME, START, a_session, put


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("order", Order)
async def test_every_list_is_read_through_an_index_in_its_order(path: Path, order: Order) -> None:
    async with SqliteStorage(path) as storage:
        await put(storage, a_session("s1"), a_session("s2"))
        page = await storage.sessions.find(SessionQuery(limit=1, order=order), HOME)
        filters: list[dict[str, Any]] = [
            {},
            {"state": SessionState.LIVE},
            {"status": SessionStatus.ACTIVE},
            {"user_id": "ada"},
            {"mode": "LS1A"},
            {"since": START, "until": START + timedelta(days=1)},
        ]
        for asked in filters:
            for cursor in (None, page.next_cursor):
                query = SessionQuery(order=order, cursor=cursor, **asked)
                for scope in (HOME, EVERYTHING):
                    statement, values = lists.page(query, position_of(query), scope)
                    assert_is_read_through_an_index(storage, statement, values)


async def test_open_sessions_are_counted_through_their_own_index(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        values = {"of_tenant": "default", "of_user": "ada"}
        for statement in (lists.COUNT_OPEN, lists.COUNT_ALL_OPEN):
            plan = explained(storage, statement, values)
            assert any("voice_sessions_open" in step for step in plan), plan


def explained(storage: SqliteStorage, statement: Statement, values: dict[str, Any]) -> list[str]:
    asked = SqliteDialect().compiled(statement)
    rows = storage._connections.writer.opened().execute(
        f"EXPLAIN QUERY PLAN {asked.text}", asked.places(values)
    )
    return [detail for *_, detail in rows]


def assert_is_read_through_an_index(
    storage: SqliteStorage, statement: Statement, values: dict[str, Any]
) -> None:
    plan = explained(storage, statement, values)
    assert any("USING INDEX voice_sessions_" in step for step in plan), (statement, plan)
    assert not any("TEMP B-TREE" in step for step in plan), (statement, plan)


async def test_a_deep_page_asks_for_nothing_that_lies_before_it(path: Path) -> None:
    async with SqliteStorage(path) as storage:
        await put(storage, a_session("s1"), a_session("s2"))
        page = await storage.sessions.find(SessionQuery(limit=1), HOME)
        day = timedelta(days=1)
        for since, until, beyond in (
            (None, None, ""),
            (None, START + day, ""),
            (START - day, None, " AND listed_at>?"),
        ):
            query = SessionQuery(cursor=page.next_cursor, since=since, until=until)
            statement, values = lists.page(query, position_of(query), HOME)
            (step,) = explained(storage, statement, values)
            # Also among sessions that began at the same instant.
            assert f"(tenant_id=?{beyond} AND (listed_at,id)<(?,?))" in step
