"""How many sessions may be open at once, over all workers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import anyio
import pytest

import voicesession
from voicesession.core.accounts import Limit
from voicesession.core.admission import AdmissionPolicy
from voicesession.core.errors import QuotaExceeded
from voicesession.runtime.manager import SessionManager

THREE_EACH = AdmissionPolicy(per_user=3)


@pytest.fixture(params=["memory://", "sqlite:///{}/voice.db"], ids=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.param).format(tmp_path)


async def audio_limit(voice: SessionManager, session_id: str) -> Limit | None:
    account = voice.budgets.account("session", session_id)
    (standing, *_) = await voice.budgets.standings(account)
    return standing.limit


async def test_a_user_who_asks_two_workers_at_once_opens_no_more_than_the_quota(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path}/voice.db"
    refused: list[str] = []
    async with (
        voicesession.open(url, admission=THREE_EACH) as one,
        voicesession.open(url, admission=THREE_EACH) as other,
    ):

        async def ask(worker: SessionManager) -> None:
            try:
                await worker.create(user_id="ada")
            except QuotaExceeded as refusal:
                refused.append(str(refusal))

        async with anyio.create_task_group() as group:
            for worker in (one, other) * 6:
                group.start_soon(ask, worker)
        assert len((await one.find(user_id="ada")).sessions) == 3
    assert refused == ["Maximum 3 concurrent sessions allowed"] * 9


async def test_one_that_is_refused_leaves_no_limit_behind(url: str) -> None:
    async with voicesession.open(url, admission=AdmissionPolicy(per_user=1)) as voice:
        template = await voice.templates.create(name="A minute", audio_budget=timedelta(minutes=1))
        kind = {"user_id": "ada", "session_template_id": template.id}
        await voice.create(session_id="first", **kind)  # type: ignore[arg-type]
        with pytest.raises(QuotaExceeded):
            await voice.create(session_id="second", **kind)  # type: ignore[arg-type]
        limited = await audio_limit(voice, "first")
        assert limited is not None
        assert limited.amount == 60_000_000
        assert await audio_limit(voice, "second") is None
