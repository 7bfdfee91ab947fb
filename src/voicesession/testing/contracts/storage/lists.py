"""How sessions are found: filters, order and pages."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from itertools import combinations, product
from typing import Any

import pytest
from attrs import evolve

from ....core.errors import InvalidValue
from ....core.identity import SessionId, TenantId
from ....core.metadata import metadata_json
from ....core.session import Session
from ....core.states import EndReason, SessionState, SessionStatus
from ....ports.storage import EVERYTHING, Order, Page, SessionQuery, Storage
from .examples import HOME, START, STRANGERS, OnStorage, a_session, a_tombstone, put

__all__ = ("ListContract",)

_ENDED: dict[str, Any] = {"state": SessionState.ENDED, "end_reason": EndReason.COMPLETED}
_LIVE: dict[str, Any] = {"state": SessionState.LIVE}
_ODD_KEYS = ("plain", "", "a.b", "$.a", 'quo"te', "ba\\ck", "ü", "a b", "[0]", "'")


def _started(number: int, minutes: int, **fields: Any) -> Session:
    return evolve(
        a_session(f"s{number:02}", started_at=START + timedelta(minutes=minutes)), **fields
    )


def _assorted() -> list[Session]:
    """Sessions of which some share each property; three minutes apart, always two together."""
    kinds = product((_LIVE, _ENDED), ("ada", "bob", None), ("LS1A", "transcription"), ("a", "b"))
    return [
        _started(
            number,
            number // 2 * 3,
            user_id=user_id,
            mode=mode,
            metadata_json=metadata_json({"team": team, "other": number}),
            **life,
        )
        for number, (life, user_id, mode, team) in enumerate(kinds)
    ]


async def _ids(storage: Storage, **query: Any) -> list[str]:
    page = await storage.sessions.find(evolve(SessionQuery(limit=100), **query), HOME)
    return [session.id for session in page.sessions]


async def _pages(
    storage: Storage, query: SessionQuery, cursor_of: Callable[[Page], str | None]
) -> list[Page]:
    """Page after page, following one of the cursors until there is none."""
    pages: list[Page] = []
    while len(pages) < 100:
        page = await storage.sessions.find(query, HOME)
        pages.append(page)
        cursor = cursor_of(page)
        if cursor is None:
            return pages
        query = evolve(query, offset=0, cursor=cursor)
    raise AssertionError("the pages never end")


async def _walk(
    storage: Storage, query: SessionQuery, cursor_of: Callable[[Page], str | None]
) -> list[list[str]]:
    """The ids on page after page."""
    pages = await _pages(storage, query, cursor_of)
    return [[session.id for session in page.sessions] for page in pages]


def _next(page: Page) -> str | None:
    return page.next_cursor


def _previous(page: Page) -> str | None:
    return page.previous_cursor


@pytest.mark.anyio
class ListContract(OnStorage):
    """Lists of sessions."""

    @pytest.mark.parametrize("order", Order)
    async def test_a_list_is_ordered_by_start_and_then_by_id(
        self, storage: Storage, order: Order
    ) -> None:
        sessions = [_started(2, 5), _started(9, 1), _started(1, 5), _started(3, 2)]
        await put(storage, *sessions)
        ids = ["s09", "s03", "s01", "s02"]
        expected = ids if order is Order.OLDEST_FIRST else ids[::-1]
        assert await _ids(storage, order=order) == expected

    async def test_what_never_started_is_listed_by_its_creation(self, storage: Storage) -> None:
        created = START + timedelta(minutes=2)
        await put(storage, _started(1, 1), a_session("s02", created_at=created), _started(3, 3))
        assert await _ids(storage) == ["s03", "s02", "s01"]
        assert await _ids(storage, since=created, until=START + timedelta(minutes=3)) == ["s02"]

    async def test_since_is_inside_and_until_is_outside(self, storage: Storage) -> None:
        await put(storage, *(_started(n, n) for n in range(4)))
        since, until = (START + timedelta(minutes=n) for n in (1, 3))
        assert await _ids(storage, since=since, until=until) == ["s02", "s01"]
        assert await _ids(storage, since=until, until=since) == []
        assert await _ids(storage, since=since + timedelta(microseconds=1)) == ["s03", "s02"]

    @pytest.mark.parametrize("order", Order)
    async def test_a_cursor_and_bounds_hold_together_wherever_the_bounds_lie(
        self, storage: Storage, order: Order
    ) -> None:
        await put(storage, *(_started(n, n // 2) for n in range(8)))
        everything = await storage.sessions.find(SessionQuery(order=order), HOME)
        for place in range(1, 7):
            beside = await storage.sessions.find(SessionQuery(order=order, limit=place), HOME)
            for first, behind in combinations(range(5), 2):
                since, until = (START + timedelta(minutes=n) for n in (first, behind))
                query = SessionQuery(
                    order=order, since=since, until=until, cursor=beside.next_cursor
                )
                page = await storage.sessions.find(query, HOME)
                assert list(page.sessions) == [
                    session
                    for session in everything.sessions[place:]
                    if session.started_at is not None and since <= session.started_at < until
                ]

    async def test_filters_hold_each_alone_and_all_together(self, storage: Storage) -> None:
        sessions = _assorted()
        await put(storage, *sessions, a_session("foreign", tenant_id=TenantId("strangers")))
        either: tuple[tuple[dict[str, Any], ...], ...] = (
            ({}, {"state": SessionState.LIVE}, {"status": SessionStatus.COMPLETED}),
            ({}, {"user_id": "ada"}, {"user_id": "nobody"}),
            ({}, {"mode": "transcription"}),
            ({}, {"since": START + timedelta(minutes=4), "until": START + timedelta(minutes=20)}),
            ({}, {"metadata": {"team": "b"}}, {"metadata": {"team": "b", "nothing": "x"}}),
        )
        for choice in product(*either):
            filters = {name: value for part in choice for name, value in part.items()}
            expected = [s.id for s in sessions if _matches(s, filters)]
            assert await _ids(storage, order=Order.OLDEST_FIRST, **filters) == expected, filters

    async def test_metadata_must_have_exactly_this_text_under_any_key(
        self, storage: Storage
    ) -> None:
        values = ("1", "ü'\"\\", 1, "01", ["1"], {"1": "1"}, None, True)
        await put(
            storage,
            *(
                a_session(f"{k}.{v}", metadata_json=metadata_json({key: value, "other": "1"}))
                for (k, key), (v, value) in product(enumerate(_ODD_KEYS), enumerate(values))
            ),
            *(
                a_session(f"deeper.{k}", metadata_json=metadata_json({"deeper": {key: "1"}}))
                for k, key in enumerate(_ODD_KEYS)
            ),
        )
        for number, key in enumerate(_ODD_KEYS):
            assert await _ids(storage, metadata={key: "1"}) == [f"{number}.0"]
            assert await _ids(storage, metadata={key: values[1]}) == [f"{number}.1"]
            assert await _ids(storage, metadata={key: "1", "other": "2"}) == []
            assert await _ids(storage, metadata={f"{key}x": "1"}) == []
            assert await _ids(storage, metadata={key: '["1"]'}) == []

    @pytest.mark.parametrize("order", Order)
    async def test_pages_show_everything_once_forwards_and_backwards(
        self, storage: Storage, order: Order
    ) -> None:
        await put(storage, *(_started(n, n // 3) for n in range(7)))
        everything = await _ids(storage, order=order)
        for limit in (1, 2, 3, 4, 6, 7, 8):
            query = SessionQuery(order=order, limit=limit)
            forwards = await _walk(storage, query, _next)
            assert [session_id for page in forwards for session_id in page] == everything
            assert all(len(page) == limit for page in forwards[:-1])
            assert forwards[-1]
            last = (await _pages(storage, query, _next))[-1]
            if last.previous_cursor is None:
                assert len(forwards) == 1
                continue
            query = evolve(query, cursor=last.previous_cursor)
            backwards = await _walk(storage, query, _previous)
            assert backwards[::-1] == forwards[:-1]

    @pytest.mark.parametrize("order", Order)
    async def test_turning_back_and_forth_shows_the_same_pages(
        self, storage: Storage, order: Order
    ) -> None:
        await put(storage, *(_started(n, n) for n in range(5)))

        async def page_at(cursor: str | None) -> Page:
            return await storage.sessions.find(
                SessionQuery(limit=2, order=order, cursor=cursor), HOME
            )

        first = await page_at(None)
        second = await page_at(first.next_cursor)
        assert await page_at(second.previous_cursor) == first
        third = await page_at(second.next_cursor)
        assert third.next_cursor is None
        assert first.previous_cursor is None
        assert await page_at(third.previous_cursor) == second

    async def test_pages_keep_to_their_filters(self, storage: Storage) -> None:
        sessions = _assorted()
        await put(storage, *sessions)
        filters: dict[str, Any] = {
            "user_id": "ada",
            "mode": "LS1A",
            "metadata": {"team": "a"},
            "since": START,
            "until": START + timedelta(days=1),
            "limit": 1,
        }
        pages = await _walk(storage, SessionQuery(**filters), _next)
        expected = [[s.id] for s in reversed(sessions) if _matches(s, filters)]
        assert pages == expected
        assert len(expected) == 2

    @pytest.mark.parametrize("order", Order)
    async def test_pages_are_stable_while_others_come_and_go(
        self, storage: Storage, order: Order
    ) -> None:
        await put(storage, *(_started(n, n) for n in range(10, 16)))
        expected = await _ids(storage, order=order)
        seen: list[str] = []
        cursor = None
        for newcomer in range(3):
            query = SessionQuery(order=order, limit=2, cursor=cursor)
            page = await storage.sessions.find(query, HOME)
            seen += [s.id for s in page.sessions]
            await put(storage, _started(newcomer, newcomer), _started(90 + newcomer, 90 + newcomer))
            # The page's last session, beside which the next page begins, goes away.
            gone = page.sessions[-1].id
            await storage.sessions.delete(gone, HOME, tombstone=a_tombstone(gone))
            cursor = page.next_cursor
        assert seen == expected

    async def test_an_offset_skips_and_can_be_turned_back_from(self, storage: Storage) -> None:
        await put(storage, *(_started(n, n) for n in range(5)))
        page = await storage.sessions.find(SessionQuery(offset=3, limit=1), HOME)
        assert [s.id for s in page.sessions] == ["s01"]
        assert page.next_cursor is not None
        backwards = await _walk(storage, SessionQuery(offset=3, limit=2), _previous)
        assert backwards == [["s01", "s00"], ["s03", "s02"], ["s04"]]

    async def test_behind_the_end_there_is_an_empty_page(self, storage: Storage) -> None:
        await put(storage, _started(1, 1))
        assert await storage.sessions.find(SessionQuery(offset=1), HOME) == Page(sessions=())
        assert await storage.sessions.find(SessionQuery(offset=1_000_000), HOME) == Page(
            sessions=()
        )

    async def test_an_offset_does_not_go_with_a_cursor(self, storage: Storage) -> None:
        await put(storage, _started(1, 1), _started(2, 2))
        page = await storage.sessions.find(SessionQuery(limit=1), HOME)
        with pytest.raises(InvalidValue, match="offset"):
            await storage.sessions.find(SessionQuery(cursor=page.next_cursor, offset=1), HOME)

    async def test_garbage_is_no_cursor(self, storage: Storage) -> None:
        nested = base64.urlsafe_b64encode(b"[" * 100_000).decode()
        for cursor in ("", "x", "ü", "\0", "\ud800", "e30=", "bnVsbA==", "W10=", nested):
            with pytest.raises(InvalidValue, match="cursor"):
                await storage.sessions.find(SessionQuery(cursor=cursor), HOME)

    async def test_a_cursor_that_was_tampered_with_is_refused(self, storage: Storage) -> None:
        # Ids of different lengths, because the last character may hold bits to spare.
        await put(storage, *(a_session("s" * length) for length in range(1, 5)))
        for page in (await _pages(storage, SessionQuery(limit=1), _next))[:-1]:
            cursor = page.next_cursor or ""
            for place, letter in product(range(len(cursor)), "AB"):
                changed = cursor[:place] + letter + cursor[place + 1 :]
                for bad in {changed, cursor[:place], f"{cursor}="} - {cursor}:
                    with pytest.raises(InvalidValue, match="cursor"):
                        await storage.sessions.find(SessionQuery(cursor=bad), HOME)

    async def test_a_cursor_of_the_other_order_is_refused(self, storage: Storage) -> None:
        await put(storage, _started(1, 1), _started(2, 2))
        page = await storage.sessions.find(SessionQuery(limit=1), HOME)
        query = SessionQuery(cursor=page.next_cursor, order=Order.OLDEST_FIRST)
        with pytest.raises(InvalidValue, match="cursor"):
            await storage.sessions.find(query, HOME)

    async def test_text_that_no_database_can_be_asked_for_is_refused(
        self, storage: Storage
    ) -> None:
        await put(storage, _started(1, 1, user_id="ada"))
        for text in ("\0", "\ud800"):
            for query in (
                SessionQuery(user_id=text),
                SessionQuery(mode=text),
                SessionQuery(metadata={"team": text}),
                SessionQuery(metadata={text: "a"}),
            ):
                with pytest.raises(InvalidValue):
                    await storage.sessions.find(query, HOME)
            with pytest.raises(InvalidValue):
                await storage.sessions.count_open(HOME, user_id=text)
        assert await _ids(storage, user_id="' OR 1=1 --") == []

    async def test_open_sessions_are_counted_for_a_user_for_nobody_and_for_all(
        self, storage: Storage
    ) -> None:
        await put(storage, *_assorted(), a_session("x", tenant_id=TenantId("strangers")))
        count = storage.sessions.count_open
        assert await count(HOME, user_id="ada") == (4, 12)
        assert await count(HOME, user_id=None) == (4, 12)
        assert await count(HOME, user_id="eve") == (0, 12)
        assert await count(STRANGERS, user_id="ada") == (0, 1)
        assert await count(EVERYTHING, user_id=None) == (5, 13)
        ended = SessionId("s00")
        await storage.sessions.delete(ended, HOME, tombstone=a_tombstone(ended))
        assert await count(HOME, user_id="ada") == (3, 11)


def _matches(session: Session, filters: dict[str, Any]) -> bool:
    started_at = session.started_at
    assert started_at is not None
    return (
        filters.get("state") in (None, session.state)
        and filters.get("status") in (None, session.status)
        and filters.get("user_id") in (None, session.user_id)
        and filters.get("mode") in (None, session.mode)
        and filters.get("since", started_at) <= started_at
        and ("until" not in filters or started_at < filters["until"])
        and all(session.metadata.get(k) == v for k, v in filters.get("metadata", {}).items())
    )
