"""The store is away for a moment: clients are told to try again, and no session ends of it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeAlias

import anyio
import pytest
from tests.patience import PATIENCE_S
from websockets.exceptions import ConnectionClosed

from voicesession import SessionState
from voicesession.core.errors import StoreUnavailable

Calls: TypeAlias = Mapping[str, Sequence[str]]

CALLS: Calls = {
    "sessions": ("commit", "load", "journal", "take_lease", "release_lease", "renew_leases"),
    "transcripts": ("utterances",),
    "ledger": ("post", "release_session"),
}
FOR_GOOD = 1 << 30
IS_PROOF = os.environ.get("VOICESESSION_PROFILE") == "proof"
WORDS_ONLY = {"mode": "transcription", "store_transcript": True}


class Outage:
    """A store that can be away for some of its calls."""

    def __init__(self) -> None:
        self._passing = 0
        self._failing = 0
        self._has_failed = False

    def begin(self, *, after: int = 0, calls: int = FOR_GOOD) -> None:
        """Let so many calls pass, and fail so many behind them."""
        self._passing, self._failing, self._has_failed = after, calls, False

    def end(self) -> bool:
        """Let everything pass; return whether anything has failed."""
        self._failing = 0
        return self._has_failed

    def befalling(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return *call* as it is under this outage."""

        async def attempt(*args: Any, **kwargs: Any) -> Any:
            if self._passing:
                self._passing -= 1
            elif self._failing:
                self._failing -= 1
                self._has_failed = True
                raise StoreUnavailable("postgres at 10.0.0.7")
            return await call(*args, **kwargs)

        return attempt


@pytest.fixture
def outage(house: Any, monkeypatch: pytest.MonkeyPatch) -> Outage:
    """What befalls the store of the house."""
    return befall(house, monkeypatch)


def befall(house: Any, monkeypatch: pytest.MonkeyPatch, parts: Calls = CALLS) -> Outage:
    outage = Outage()
    for part, names in parts.items():
        store = getattr(house.voice._services.storage, part)
        for name in names:
            monkeypatch.setattr(store, name, outage.befalling(getattr(store, name)))
    return outage


async def settled(house: Any, session_id: str) -> Any:
    """Return the session once nobody holds it."""
    with anyio.fail_after(PATIENCE_S):
        while house.voice._worker.owned:
            await anyio.lowlevel.checkpoint()
    return await house.voice.get(session_id)


async def a_session_that_waits(house: Any) -> dict[str, Any]:
    async with house.talk(**WORDS_ONLY) as talker:
        begin: dict[str, Any] = talker.messages[0]
        await talker.speak("good morning")
        await talker.next("transcript.final")
        talker.socket.transport.abort()
    assert (await settled(house, begin["session_id"])).state is SessionState.PAUSED
    return begin


@pytest.mark.parametrize("calls", [1, 3] if IS_PROOF else [1])
async def test_whichever_call_fails_while_a_client_comes_back_its_session_lives_on(
    house: Any, outage: Outage, calls: int
) -> None:
    for after in range(100):
        begin = await a_session_that_waits(house)
        outage.begin(after=after, calls=calls)
        told = await refusal(house, begin)
        has_failed = outage.end()
        assert told in ({}, {"code": "store_unavailable", "retryable": True})
        waits = await settled(house, begin["session_id"])
        assert (waits.state, waits.error) == (SessionState.PAUSED, None), after
        async with house.back(begin, 0) as again:
            await again.next("transcript.final")
            await again.send("end")
            end = await again.next("session.end")
        assert (again.words, end["status"]) == (["good morning"], "completed")
        if not has_failed:
            return
    raise AssertionError


async def refusal(house: Any, begin: dict[str, Any]) -> dict[str, Any]:
    """Come back, and go; return what was told of it if that could not be."""
    path = f"/v1/sessions/{begin['session_id']}/stream"
    async with house.connect(path) as talker:
        attach = {"session_id": begin["session_id"], "resume_token": begin["resume_token"]}
        with suppress(ConnectionClosed):
            await talker.send("attach", last_seq=0, **attach)
        with suppress(ConnectionClosed):
            await talker.next("session.begin")
            return {}
    assert talker.socket.close_code == 1011
    assert "10.0.0.7" not in str(talker.messages)
    told = talker.all("error")[0]
    return {name: told[name] for name in ("code", "retryable")}


async def test_a_client_that_vanishes_during_an_outage_finds_its_words_again(
    house: Any, outage: Outage
) -> None:
    async with house.talk(**WORDS_ONLY) as talker:
        begin = talker.messages[0]
        await talker.speak("good morning", silence_us=0)
        await talker.next("transcript.partial")
        outage.begin(calls=2)
        talker.socket.transport.abort()
    waits = await settled(house, begin["session_id"])
    assert outage.end()
    assert waits.pause_reasons == {"disconnected"}
    async with house.back(begin, talker.last_seq) as back:
        await back.next("transcript.final")
    assert back.words == ["good morning"]


async def test_an_end_that_the_store_does_not_take_at_once_is_told_when_it_has(
    house: Any, outage: Outage
) -> None:
    for after in range(100):
        async with house.talk(**WORDS_ONLY) as talker:
            await talker.speak("good morning", silence_us=0)
            outage.begin(after=after, calls=1)
            await talker.send("end")
            end = await talker.next("session.end")
            assert await talker.closed() == 1000
        assert (talker.words, end["status"]) == (["good morning"], "completed")
        if not outage.end():
            return
    raise AssertionError


@pytest.mark.parametrize("parts", [CALLS, {"sessions": ("renew_leases",)}], ids=["all", "leases"])
async def test_who_is_cut_off_because_the_store_stays_away_is_told_to_come_back(
    open_house: Any, monkeypatch: pytest.MonkeyPatch, parts: Calls
) -> None:
    async with open_house(lease=timedelta(seconds=1.5)) as house:
        outage = befall(house, monkeypatch, parts)
        async with house.talk(**WORDS_ONLY) as talker:
            begin = talker.messages[0]
            outage.begin()
            assert await talker.closed() == 1011
        outage.end()
        error, terminated = talker.all("error")[-1], talker.all("session.terminated")[0]
        assert (error["code"], error["retryable"]) == ("store_unavailable", True)
        assert terminated["recoverable"] is True
        async with house.back(begin, talker.last_seq) as back:
            await back.next("session.begin")
            await back.send("end")
            assert (await back.next("session.end"))["status"] == "completed"
