"""What goes in at one end of a line comes out at the other, in order and in bounds."""

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, strategies as st
from tests.patience import PATIENCE_S

from voicesession.core.errors import InvalidValue, SessionNotActive
from voicesession.testing.contracts.transports import TransportContract
from voicesession.testing.lines import LineEnd, carry, loopback
from voicesession.testing.scripted import Lexicon
from voicesession.testing.stage import Stage

FRAME_US = 20_000


async def everything(end: LineEnd) -> list[bytes]:
    return [pcm async for pcm in end]


class FarEnd:
    """Who is at the other end of a loopback."""

    def __init__(self, end: LineEnd) -> None:
        self._end = end

    async def say(self, pcm: bytes, /) -> None:
        await self._end.send(pcm)

    async def hear(self) -> bytes:
        return await anext(self._end)

    async def hang_up(self) -> None:
        await checkpoint()
        self._end.close()


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
class TestLoopback(TransportContract):
    @pytest.fixture
    def line(self) -> tuple[LineEnd, LineEnd]:
        return loopback(most_bytes=1_280)

    @pytest.fixture
    def transport(self, line: tuple[LineEnd, LineEnd]) -> LineEnd:
        return line[0]

    @pytest.fixture
    def caller(self, line: tuple[LineEnd, LineEnd]) -> FarEnd:
        return FarEnd(line[1])


@given(frames=st.lists(st.binary(min_size=1, max_size=40)), most=st.integers(1, 100))
def test_every_frame_arrives_once_and_in_order(frames: list[bytes], most: int) -> None:
    async def talk() -> list[bytes]:
        near, far = loopback(most_bytes=most)
        heard: list[bytes] = []

        async def listen() -> None:
            heard.extend(await everything(far))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            for frame in frames:
                await near.send(frame)
            near.close()
        return heard

    assert anyio.run(talk) == frames


async def test_who_sends_more_than_fits_waits_for_room() -> None:
    near, far = loopback(most_bytes=640)
    await near.send(bytes(640))
    with anyio.move_on_after(0) as scope:
        await near.send(bytes(2))
    assert scope.cancelled_caught
    assert await anext(far) == bytes(640)
    await near.send(bytes(2))
    assert await anext(far) == bytes(2)


async def test_after_hanging_up_nothing_is_sent() -> None:
    near, far = loopback(most_bytes=2)
    await near.send(b"ab")
    far.close()
    for end in (near, far):
        with pytest.raises(SessionNotActive):
            await end.send(b"cd")
    assert await everything(far) == [b"ab"]


async def test_who_waits_for_room_learns_that_the_other_has_hung_up() -> None:
    near, far = loopback(most_bytes=2)
    await near.send(b"ab")

    async def send() -> None:
        with pytest.raises(SessionNotActive):
            await near.send(b"cd")

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            far.close()


def test_a_line_has_room_for_something() -> None:
    with pytest.raises(InvalidValue):
        loopback(most_bytes=0)


def words_of(lexicon: Lexicon, pcm: bytes) -> list[str]:
    """The words in *pcm*, each as often as it was said without a pause."""
    size = lexicon.format.bytes_at(lexicon.word_us)
    starts = range(0, len(pcm), size)
    loudness = [int.from_bytes(pcm[start : start + 2], "little", signed=True) for start in starts]
    return [word for level in loudness if (word := lexicon.word(level)) is not None]


async def test_a_session_talks_over_a_line_until_it_is_over() -> None:
    near, far = loopback()
    heard: list[bytes] = []

    async def listen() -> None:
        heard.extend(await everything(far))

    async with Stage() as stage, stage.call() as (call, _phone):
        frames = stage.lexicon.speech("good morning") + stage.lexicon.silence(3_000_000)
        size = stage.lexicon.format.bytes_at(FRAME_US)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(carry, call, near)
            tasks.start_soon(listen)
            for start in range(0, len(frames), size):
                await far.send(frames[start : start + size])
                for _ in range(20):  # turns of the event loop, for engines that take no time
                    await checkpoint()
                stage.clock.advance(FRAME_US)
            await call.stop()
    assert words_of(stage.lexicon, b"".join(heard)) == ["you", "said", "good", "morning"]


async def test_whoever_hangs_up_leaves_the_session_as_it_is() -> None:
    near, far = loopback()
    async with Stage() as stage, stage.call() as (call, _phone):
        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(carry, call, near)
                await far.send(stage.lexicon.speech("hello"))
                far.close()
        assert not call.is_over
        assert call.media_us == stage.lexicon.word_us
