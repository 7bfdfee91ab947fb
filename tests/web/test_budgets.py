"""Budgets over HTTP."""

import httpx2
import pytest

from voicesession import SessionManager

BUDGET = "/v1/budgets/user/ada"


async def test_a_limit_is_set_raised_and_dropped_and_usage_is_shown(
    boss: httpx2.AsyncClient, ada: httpx2.AsyncClient, voice: SessionManager
) -> None:
    await voice.for_tenant("acme").budgets.track_usage("ada", audio_minutes=4)
    limit = {"meter": "audio_us", "window": "day", "amount": 300_000_000}
    told = (await boss.put(BUDGET, json=limit)).json()
    assert (told["scope"], told["id"]) == ("user", "ada")
    assert told["budget"]["audio_minutes"] == {
        "used": 4.0,
        "reserved": 0.0,
        "limit": 5.0,
        "remaining": 1.0,
        "utilization": 0.8,
    }
    assert (await ada.get(BUDGET)).json() == told
    raised = {"meter": "audio_us", "window": "day", "raise_by": 60_000_000}
    assert (await boss.put(BUDGET, json=raised)).json()["budget"]["audio_minutes"]["limit"] == 6
    which = {"meter": "audio_us", "window": "day"}
    dropped = (await boss.delete(BUDGET, params=which)).json()
    assert dropped["budget"]["audio_minutes"]["limit"] is None
    assert dropped["budget"]["video_tokens"]["used"] == 0


@pytest.mark.parametrize(
    "wish",
    [
        {"meter": "audio_us", "window": "day"},
        {"meter": "audio_us", "window": "day", "amount": 1, "raise_by": 1},
        {"meter": "audio_us", "window": "session", "amount": 1},
        {"meter": "audio_us", "window": "month", "raise_by": 1},
        {"meter": "coffee", "window": "day", "amount": 1},
        {"meter": "audio_us", "window": "day", "amount": -1},
        {"meter": "audio_us", "window": "day", "amount": 0.5},
        {"meter": "audio_us", "window": "day", "amount": 1, "warn_at": 0},
    ],
)
async def test_a_limit_that_cannot_be_is_a_400_and_sets_nothing(
    boss: httpx2.AsyncClient, wish: dict[str, object]
) -> None:
    before = (await boss.get(BUDGET)).json()
    assert (await boss.put(BUDGET, json=wish)).status_code == 400
    assert (await boss.get(BUDGET)).json() == before


@pytest.mark.parametrize(
    "path", ["galaxy/ada", "session/sess_x", "tenant/other", "user/" + "x" * 300]
)
async def test_there_is_no_such_account(boss: httpx2.AsyncClient, path: str) -> None:
    assert (await boss.get(f"/v1/budgets/{path}")).status_code == 404
