"""What every ``Transport`` does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Protocol

import anyio
import pytest

from ...core.errors import SessionNotActive
from ...ports.transport import Transport

__all__ = ("Caller", "TransportContract")

PATIENCE_S: Final = 60
_FRAMES: Final = tuple(bytes([n, 0]) * 320 for n in range(1, 9))


class Caller(Protocol):
    """The other end of the line, in the hands of a test."""

    async def say(self, pcm: bytes, /) -> None:
        """Have *pcm* come out of the transport; whole sample frames."""
        ...

    async def hear(self) -> bytes:
        """Return the next that was sent, in pieces of any size."""
        ...

    async def hang_up(self) -> None: ...


class TransportContract(ABC):
    """Subclass it and give it a ``transport``, and the ``caller`` at its other end."""

    @pytest.fixture
    @abstractmethod
    def transport(self) -> Transport: ...

    @pytest.fixture
    @abstractmethod
    def caller(self) -> Caller: ...

    async def test_all_that_the_caller_says_comes_in_order_until_they_hang_up(
        self, transport: Transport, caller: Caller
    ) -> None:
        came = bytearray()

        async def listen() -> None:
            async for pcm in transport:
                came.extend(pcm)

        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                for frame in _FRAMES:
                    await caller.say(frame)
                await caller.hang_up()
        assert bytes(came) == b"".join(_FRAMES)

    async def test_all_that_is_sent_is_heard_in_order(
        self, transport: Transport, caller: Caller
    ) -> None:
        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._send_all, transport)
                assert await self._heard(caller) == b"".join(_FRAMES)

    async def test_what_nobody_has_heard_can_be_taken_back(
        self, transport: Transport, caller: Caller
    ) -> None:
        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._send_all, transport)
                assert await caller.hear()
                transport.clear()
                transport.clear()
                tasks.cancel_scope.cancel()
            last = bytes([99, 0]) * 320
            await transport.send(last)
            heard = b""
            while not heard.endswith(last):  # what was on its way already may come before
                heard += await caller.hear()

    async def test_nothing_is_sent_to_who_has_hung_up(
        self, transport: Transport, caller: Caller
    ) -> None:
        with anyio.fail_after(PATIENCE_S):
            await caller.hang_up()
            assert [pcm async for pcm in transport] == []
            with pytest.raises(SessionNotActive):
                await transport.send(_FRAMES[0])

    async def _send_all(self, transport: Transport) -> None:
        for frame in _FRAMES:
            await transport.send(frame)

    async def _heard(self, caller: Caller) -> bytes:
        heard = b""
        while len(heard) < sum(map(len, _FRAMES)):
            heard += await caller.hear()
        return heard
