"""Documents and memory cannot be told apart, whatever is done to them."""

import asyncio
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from tests.servers.redis_server import RedisServer
from tests.stores.test_stores_agree import (
    HOUR,
    IDS,
    NEW_SESSIONS,
    SCOPES,
    TENANTS,
    StoresAgree,
    loaded,
    without_time,
)

from voicesession.core.accounts import Account, HoldId, Limit, Scope as AccountScope
from voicesession.core.identity import SessionId, TenantId
from voicesession.core.ledger import LedgerEntry, Want
from voicesession.core.meters import Meter
from voicesession.core.session import Session
from voicesession.core.tasks import Task, TaskState, completed
from voicesession.core.templates import TemplateId
from voicesession.core.windows import Window
from voicesession.ports.documents import DocumentDriver
from voicesession.ports.storage import Change, Scope, Storage
from voicesession.stores.documents import DocumentStorage, MemoryDocumentDriver
from voicesession.stores.documents.redis import RedisDocumentDriver
from voicesession.stores.memory import MemoryStorage
from voicesession.testing.contracts.storage.examples import START, a_session, a_task, a_template
from voicesession.testing.effort import examples

TEMPLATES = st.sampled_from(["m1", "m2"]).map(TemplateId)
TASKS = st.sampled_from(["k1", "k2", "k3"])
TYPES = st.sampled_from(["enhancement", "other"])
PAST_AND_FUTURE = st.sampled_from([START - HOUR, START, START + timedelta(days=70_000)])
HOLDS = st.sampled_from(["h1", "h2", "h3", "h4"]).map(HoldId)
METERS = st.sampled_from([Meter.AUDIO_US, Meter.LLM_OUTPUT_TOKENS])
AMOUNTS = st.integers(1, 60)
TIMES = st.sampled_from([START, START + timedelta(hours=13), START + timedelta(days=40)])
ACCOUNTS = st.builds(
    lambda tenant, name, user: (
        Account(AccountScope.SESSION, name, tenant),
        Account(AccountScope.USER, user, tenant),
        Account(AccountScope.TENANT, tenant, tenant),
    ),
    TENANTS,
    IDS,
    st.sampled_from(["ada", "b/ob"]),
)
WANTS = st.builds(
    Want,
    hold_id=HOLDS,
    meter=METERS,
    amount=AMOUNTS,
    expires_at=st.none() | TIMES,
)
ENTRIES = st.builds(
    LedgerEntry,
    at=TIMES,
    accounts=ACCOUNTS,
    settle=st.dictionaries(HOLDS, AMOUNTS, max_size=1),
    release=st.frozensets(HOLDS, max_size=1),
    charge=st.dictionaries(METERS, AMOUNTS, max_size=1),
    reserve=st.lists(WANTS, max_size=2, unique_by=lambda want: want.hold_id),
)


class DocumentsAgree(StoresAgree):
    """All that is done to any two stores, and what is kept beside sessions."""

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        self.runner = asyncio.Runner()
        self.stores = (MemoryStorage(), DocumentStorage(self.driver()))
        for store in self.stores:
            self.runner.run(store.__aenter__())

    def teardown(self) -> None:
        for store in self.stores:
            self.runner.run(store.__aexit__(None, None, None))
        self.runner.close()

    def driver(self) -> DocumentDriver:
        return MemoryDocumentDriver(largest_document_bytes=1_048_576)

    # --- what is due ------------------------------------------------------------------------

    @rule(name=IDS, deadline_at=st.none() | PAST_AND_FUTURE)
    def plan(self, name: SessionId, deadline_at: Any) -> None:
        before = self.both(lambda s: loaded(s, name))
        if isinstance(before, Session):
            after = evolve(before, deadline_at=deadline_at)
            self.both(lambda s: s.sessions.commit(Change(session=after, expected_seq=before.seq)))

    @rule(limit=st.integers(1, 3))
    def sweep(self, limit: int) -> None:
        async def take(store: Storage) -> list[Any]:
            due = await store.sessions.take_due(worker_id="sweeper", duration=HOUR, limit=limit)
            return [(without_time(one.session), one.lease.epoch) for one in due]

        self.both(take)

    # --- templates --------------------------------------------------------------------------

    @rule(template_id=TEMPLATES, tenant_id=TENANTS, name=st.text("xyz", max_size=3))
    def keep_template(self, template_id: TemplateId, tenant_id: TenantId, name: str) -> None:
        template = a_template(template_id, tenant_id=tenant_id, name=name)
        self.both(lambda s: s.templates.put(template))

    @rule(template_id=TEMPLATES, scope=SCOPES)
    def drop_template(self, template_id: TemplateId, scope: Scope) -> None:
        self.both(lambda s: s.templates.delete(template_id, scope))

    @rule(scope=SCOPES, after=st.none() | TEMPLATES, limit=st.integers(1, 2))
    def list_templates(self, scope: Scope, after: TemplateId | None, limit: int) -> None:
        self.both(lambda s: s.templates.find(scope, after=after, limit=limit))

    @rule(session=NEW_SESSIONS, template_id=TEMPLATES)
    def create_from_template(self, session: Session, template_id: TemplateId) -> None:
        named = evolve(session, session_template_id=template_id)
        self.both(lambda s: s.sessions.commit(Change(session=named, expected_seq=None)))

    # --- tasks ------------------------------------------------------------------------------

    @rule(name=IDS, task_id=TASKS, type_=TYPES, due_at=PAST_AND_FUTURE, named=st.booleans())
    def order(self, name: SessionId, task_id: str, type_: str, due_at: Any, named: bool) -> None:
        before = self.both(lambda s: loaded(s, name))
        if not isinstance(before, Session):
            return
        task = a_task(task_id, session=before, type=type_, due_at=due_at)
        after = evolve(before, enhancement_job_id=task_id if named else None)
        change = Change(session=after, expected_seq=before.seq, tasks=(task,))
        self.both(lambda s: s.sessions.commit(change))

    @rule(types=st.sets(TYPES), limit=st.integers(1, 2))
    def claim(self, types: set[str], limit: int) -> None:
        async def claim(store: Storage) -> set[Task]:
            claimed = await store.tasks.claim(types, duration=HOUR, limit=limit)
            return {timeless(task) for task in claimed}

        self.both(claim)

    @rule(name=IDS, task_id=TASKS, attempts=st.integers(1, 2))
    def finish(self, name: SessionId, task_id: str, attempts: int) -> None:
        async def finish(store: Storage) -> bool:
            claimed = a_task(task_id, session=a_session(name), state=TaskState.RUNNING)
            done = completed(evolve(claimed, attempts=attempts), at=START, result_uri="file:///r")
            return await store.tasks.finish(done)

        self.both(finish)

    @rule(name=IDS, scope=SCOPES, state=st.none() | st.sampled_from(TaskState))
    def list_tasks(self, name: SessionId, scope: Scope, state: TaskState | None) -> None:
        async def tasks(store: Storage) -> list[Task]:
            return [timeless(t) for t in await store.tasks.of_session(name, scope, state=state)]

        self.both(tasks)

    # --- the books --------------------------------------------------------------------------

    @rule(entry=ENTRIES)
    def post(self, entry: LedgerEntry) -> None:
        self.both(lambda s: s.ledger.post(entry))

    @rule(accounts=ACCOUNTS, place=st.integers(0, 2), meter=METERS, amount=AMOUNTS, at=TIMES)
    def limit(
        self, accounts: tuple[Account, ...], place: int, meter: Meter, amount: int, at: Any
    ) -> None:
        window = Window.SESSION if place == 0 else Window.DAY
        limit = Limit(account=accounts[place], meter=meter, window=window, amount=amount * 3)
        self.both(lambda s: s.ledger.set_limit(limit, at=at))

    @rule(accounts=ACCOUNTS, meter=METERS, at=TIMES, raised=st.booleans())
    def unlimit(self, accounts: tuple[Account, ...], meter: Meter, at: Any, raised: bool) -> None:
        account = accounts[2]
        if raised:
            self.both(lambda s: s.ledger.raise_limit(account, meter, Window.DAY, by=10, at=at))
        else:
            self.both(lambda s: s.ledger.drop_limit(account, meter, Window.DAY))

    @rule(accounts=ACCOUNTS, zone=st.sampled_from(["UTC", "Pacific/Auckland", "Mars/Olympus"]))
    def move(self, accounts: tuple[Account, ...], zone: str) -> None:
        self.both(lambda s: s.ledger.set_zone(accounts[1], zone))

    @rule(tenant_id=TENANTS, name=IDS)
    def give_back(self, tenant_id: TenantId, name: SessionId) -> None:
        self.both(lambda s: s.ledger.release_session(tenant_id, name))

    @rule(at=TIMES)
    def expire(self, at: Any) -> None:
        self.both(lambda s: s.ledger.expire_holds(at))

    @rule(accounts=ACCOUNTS, at=TIMES)
    def stand(self, accounts: tuple[Account, ...], at: Any) -> None:
        meters = (Meter.AUDIO_US, Meter.LLM_OUTPUT_TOKENS)
        self.both(lambda s: s.ledger.standings(accounts, meters, at=at))


def timeless(task: Task) -> Task:
    """The stores stamp claims with their own time, which is all that may differ."""
    return evolve(task, updated_at=START, due_at=START)


class RedisAgrees(DocumentsAgree):
    server: RedisServer

    def driver(self) -> DocumentDriver:
        return RedisDocumentDriver(self.server.url, prefix=self.server.new_prefix())


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as RedisAgrees.server:
        yield


TestDocumentsAgree = DocumentsAgree.TestCase
TestDocumentsAgree.settings = settings(
    max_examples=examples(8), stateful_step_count=40, deadline=None
)
TestRedisAgrees = RedisAgrees.TestCase
TestRedisAgrees.settings = settings(max_examples=examples(4), stateful_step_count=30, deadline=None)
