"""One document by itself: what comes back of it, and how it is told from an older one."""

from __future__ import annotations

from typing import Final

import pytest

from ....ports.documents import (
    Body,
    Check,
    Delete,
    DocumentDriver,
    DocumentQuery,
    Put,
    RevisionConflict,
)
from .examples import (
    ALL,
    EVERY_KIND,
    OnDriver,
    a_key,
    are_there,
    ids_of,
    put_all,
    stored_at,
)

__all__ = ("BodyContract",)

_ODD_IDS: Final = (
    *("a", "A", "a.b", ".", "..", "__id__", "a b", "a:b", "a~b", "a*b", "ü", "%2F", "'", '"', "["),
    *("a" * 1_000, "\N{MUSICAL SYMBOL G CLEF}" * 250, "\n", "\ue000", "-", "0"),
)


def _kinds(body: Body) -> dict[str, str]:
    return {name: type(value).__name__ for name, value in body.items()}


@pytest.mark.anyio
class BodyContract(OnDriver):
    """Documents, their ids and their revisions."""

    async def test_what_was_put_is_what_is_there(self, driver: DocumentDriver) -> None:
        bodies: tuple[Body, ...] = (EVERY_KIND, {})
        for body in bodies:
            await driver.write([Put(a_key(), body)])
            stored = await stored_at(driver, a_key())
            assert stored.key == a_key()
            assert dict(stored.body) == dict(body)
            assert _kinds(stored.body) == _kinds(body)

    async def test_a_put_takes_the_place_of_the_whole_document(
        self, driver: DocumentDriver
    ) -> None:
        await driver.write([Put(a_key(), {"a": 1, "b": 2})])
        await driver.write([Put(a_key(), {"b": 3})])
        assert dict((await stored_at(driver, a_key())).body) == {"b": 3}

    async def test_documents_are_returned_in_the_order_asked_for(
        self, driver: DocumentDriver
    ) -> None:
        await put_all(driver, {"a": {"n": 1}, "b": {"n": 2}})
        keys = [a_key("b"), a_key("missing"), a_key("a"), a_key("a", "elsewhere"), a_key("b")]
        found = await driver.get(keys)
        assert [None if one is None else one.body["n"] for one in found] == [2, None, 1, None, 2]
        assert list(await driver.get([])) == []

    async def test_every_text_without_a_slash_is_an_id(self, driver: DocumentDriver) -> None:
        await put_all(driver, {name: {"size": 1, "colour": name} for name in _ODD_IDS})
        for name in _ODD_IDS:
            stored = await stored_at(driver, a_key(name))
            assert (stored.key, stored.body["colour"]) == (a_key(name), name)
        assert await ids_of(driver, ALL) == sorted(_ODD_IDS)
        assert await ids_of(driver, ALL, descending=True) == sorted(_ODD_IDS, reverse=True)

    async def test_a_revision_changes_with_each_write_and_never_comes_back(
        self, driver: DocumentDriver
    ) -> None:
        revisions: list[str] = []
        for _ in range(3):
            for body in ({"a": 1}, {"a": 1}, {"a": 2}):
                await driver.write([Put(a_key(), body)])
                revisions.append((await stored_at(driver, a_key())).revision)
            await driver.write([Delete(a_key())])
        assert len(set(revisions)) == len(revisions)
        for stale in revisions:
            with pytest.raises(RevisionConflict):
                await driver.write([Put(a_key(), {}, stale)])

    async def test_reading_and_checking_change_no_revision(self, driver: DocumentDriver) -> None:
        await driver.write([Put(a_key(), {"size": 1})])
        before = await stored_at(driver, a_key())
        await driver.write([Check(a_key(), before.revision)])
        await driver.find(DocumentQuery(index=ALL, equal={}))
        assert await stored_at(driver, a_key()) == before

    async def test_what_is_deleted_is_gone_and_twice_is_harmless(
        self, driver: DocumentDriver
    ) -> None:
        await driver.write([Put(a_key(), {"size": 1})])
        for _ in range(2):
            await driver.write([Delete(a_key())])
            assert await are_there(driver, "one") == [False]
            assert await ids_of(driver, ALL) == []
