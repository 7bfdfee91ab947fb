"""Few tasks do many pieces of work, and each as if it had a task of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar, copy_context
from functools import partial

import anyio
import pytest
from anyio.lowlevel import checkpoint

from voicesession.runtime.hands import Hands

WHOSE: ContextVar[str] = ContextVar("WHOSE", default="nobody's")
BASKET: ContextVar[list[str]] = ContextVar("BASKET")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    loop: str = request.param
    return loop


class Workshop:
    """Where work is done, and written down."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []
        self.tasks: set[int] = set()
        self.contexts: list[str] = []
        self.may_end = anyio.Event()

    def work(self, name: str) -> Callable[[], Awaitable[None]]:
        return partial(self._work, name)

    async def _work(self, name: str) -> None:
        self.begun.append(name)
        self.contexts.append(WHOSE.get())
        self.tasks.add(anyio.get_current_task().id)
        try:
            await self.may_end.wait()
        finally:
            self.done.append(name)


async def settle() -> None:
    for _ in range(5):
        await checkpoint()


async def test_one_task_does_what_comes_one_after_the_other() -> None:
    shop = Workshop()
    shop.may_end.set()
    async with anyio.create_task_group() as tasks:
        hands = Hands(tasks)
        for name in "abcdef":
            hands.start_soon(shop.work(name))
            await settle()
        hands.let_go()
    assert shop.done == list("abcdef")
    assert len(shop.tasks) == 1


async def test_nothing_waits_for_other_work() -> None:
    shop = Workshop()
    async with anyio.create_task_group() as tasks:
        hands = Hands(tasks)
        for _ in range(2):
            for name in "abc":
                hands.start_soon(shop.work(name))
            await settle()
        assert sorted(shop.begun) == sorted("abcabc")
        assert shop.done == []
        shop.may_end.set()
        await settle()
        hands.let_go()
    assert sorted(shop.done) == sorted("abcabc")


async def test_who_is_let_go_leaves_no_task_behind_whether_at_work_or_not() -> None:
    shop, other = Workshop(), Workshop()
    other.may_end.set()
    async with anyio.create_task_group() as tasks:  # it ends, although nobody cancels it
        hands = Hands(tasks)
        hands.start_soon(shop.work("long"))
        hands.start_soon(other.work("short"))
        await settle()
        hands.let_go()
        shop.may_end.set()
    assert (shop.done, other.done) == (["long"], ["short"])


async def test_work_sees_the_context_in_which_it_was_begun() -> None:
    shop = Workshop()
    shop.may_end.set()
    async with anyio.create_task_group() as tasks:
        hands = Hands(tasks)
        for name in ("ada's", "bob's", "ada's"):
            context = copy_context()
            context.run(WHOSE.set, name)
            context.run(hands.start_soon, shop.work(name))
            await settle()
        hands.let_go()
    assert shop.contexts == ["ada's", "bob's", "ada's"]


async def test_what_is_equal_in_two_contexts_is_not_taken_for_the_same() -> None:
    baskets: list[list[str]] = [[], []]
    seen: list[list[str]] = []

    async def look() -> None:
        seen.append(BASKET.get())

    async with anyio.create_task_group() as tasks:
        hands = Hands(tasks)
        for basket in baskets:
            context = copy_context()
            context.run(BASKET.set, basket)
            context.run(hands.start_soon, look)
            await settle()
        hands.let_go()
    assert [id(one) for one in seen] == [id(one) for one in baskets]


async def test_what_work_changes_in_its_context_no_other_work_sees() -> None:
    shop = Workshop()
    shop.may_end.set()

    async def sign() -> None:
        WHOSE.set("mine")
        await shop.work("signed")()

    async with anyio.create_task_group() as tasks:
        hands = Hands(tasks)
        hands.start_soon(sign)
        await settle()
        hands.start_soon(shop.work("another"))
        await settle()
        hands.let_go()
    assert shop.contexts == ["mine", "nobody's"]


async def test_what_work_raises_ends_the_group() -> None:
    async def fail() -> None:
        raise LookupError

    shop = Workshop()
    with pytest.RaisesGroup(LookupError):
        async with anyio.create_task_group() as tasks:
            hands = Hands(tasks)
            hands.start_soon(shop.work("beside it"))
            await settle()
            hands.start_soon(fail)
    assert shop.done == ["beside it"]


async def test_work_that_was_begun_is_not_forgotten_where_all_is_cancelled() -> None:
    shop = Workshop()
    shop.may_end.set()
    async with anyio.create_task_group() as tasks:
        hands = Hands(tasks)
        hands.start_soon(shop.work("first"))
        await settle()
        shop.may_end = anyio.Event()
        hands.start_soon(shop.work("second"))  # whose task waits, and does not know of it yet
        tasks.cancel_scope.cancel()
    assert shop.begun == shop.done == ["first", "second"]


async def test_nobody_is_called_who_was_cancelled() -> None:
    shop = Workshop()
    shop.may_end.set()
    async with anyio.create_task_group() as outer:
        async with anyio.create_task_group() as tasks:
            hands = Hands(tasks)
            hands.start_soon(shop.work("first"))
            await settle()
            tasks.cancel_scope.cancel()
        with pytest.raises(RuntimeError):  # as the group itself says it
            hands.start_soon(shop.work("second"))
        outer.cancel_scope.cancel()
    assert shop.done == ["first"]
