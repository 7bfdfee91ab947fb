"""One at a time, in the order in which they come, whoever gives up meanwhile."""

import anyio
import pytest
from anyio.lowlevel import checkpoint
from tests.patience import PATIENCE_S

from voicesession.runtime.gate import Gate


async def settle() -> None:
    for _ in range(5):
        await checkpoint()


class Visitors:
    """Go through one gate, and write down who was inside."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.inside: list[str] = []
        self.now = 0

    async def visit(self, name: str) -> None:
        async with self.gate:
            self.now += 1
            assert self.now == 1
            self.inside.append(name)
            await settle()
            self.now -= 1


async def test_whoever_comes_first_is_first_and_nobody_is_there_beside_another() -> None:
    visitors = Visitors()
    async with anyio.create_task_group() as tasks:
        for name in "abcdef":
            tasks.start_soon(visitors.visit, name)
            await checkpoint()
    assert len(visitors.inside) == 6
    assert visitors.inside == sorted(visitors.inside)


@pytest.mark.parametrize("turns", range(12))
async def test_one_who_gives_up_at_whatever_moment_keeps_nobody_out(turns: int) -> None:
    visitors = Visitors()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(visitors.visit, "first")
        await checkpoint()
        with anyio.CancelScope() as patience:
            tasks.start_soon(cancel_after, turns, patience)
            tasks.start_soon(visitors.visit, "last")
            async with visitors.gate:
                pass
    async with visitors.gate:
        assert visitors.inside == ["first", "last"]


async def cancel_after(turns: int, scope: anyio.CancelScope) -> None:
    for _ in range(turns):
        await checkpoint()
    scope.cancel()


async def test_one_who_is_called_in_and_cancelled_in_the_same_moment_calls_the_next() -> None:
    gate = Gate()
    entered: list[str] = []

    async def wait(name: str, scope: anyio.CancelScope) -> None:
        with scope:
            async with gate:
                entered.append(name)

    unlucky, next_one = anyio.CancelScope(), anyio.CancelScope()
    async with anyio.create_task_group() as tasks:
        async with gate:
            tasks.start_soon(wait, "unlucky", unlucky)
            await settle()
            tasks.start_soon(wait, "next", next_one)
            await settle()
        unlucky.cancel()
    assert entered[-1] == "next"


async def test_an_exception_inside_opens_it_again() -> None:
    gate = Gate()
    with pytest.raises(KeyError):
        async with gate:
            raise KeyError("mine")
    with anyio.fail_after(PATIENCE_S):
        async with gate:
            pass
