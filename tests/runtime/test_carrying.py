"""A conversation on a line: both ways, until somebody is gone, and not a frame after an interruption."""

from collections.abc import AsyncGenerator, Iterable

import anyio
import pytest
from anyio.lowlevel import checkpoint
from tests.patience import PATIENCE_S

from voicesession.core.states import PauseReason, SessionState
from voicesession.ports.agent import Prompt, ReplyPart
from voicesession.runtime.happenings import ReplyCleared
from voicesession.runtime.pipeline import SessionConfig
from voicesession.testing.lines import LineEnd, loopback
from voicesession.testing.stage import PATIENT, Answer, Stage, echo

FRAME_US = 20_000
SECOND_US = 1_000_000


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    async with Stage() as stage:
        yield stage


class Caller:
    """Speaks into the far end of a line, and listens there."""

    def __init__(self, stage: Stage, line: LineEnd) -> None:
        self._stage = stage
        self._line = line
        self.heard: list[bytes] = []

    async def listen(self) -> None:
        async for pcm in self._line:
            self.heard.append(pcm)

    async def send(self, pcm: bytes) -> None:
        size = self._stage.lexicon.format.bytes_at(FRAME_US)
        for start in range(0, len(pcm), size):
            await self._line.send(pcm[start : start + size])
            for _ in range(20):  # turns of the event loop, for engines that take no time
                await checkpoint()
            self._stage.clock.advance(FRAME_US)

    async def say(self, text: str) -> None:
        await self.send(self._stage.lexicon.speech(text))

    async def wait(self, duration_us: int) -> None:
        await self.send(self._stage.lexicon.silence(duration_us))

    @property
    def words(self) -> list[str]:
        lexicon = self._stage.lexicon
        levels = [int.from_bytes(pcm[:2], "little", signed=True) for pcm in self.heard[::12]]
        return [word for level in levels if (word := lexicon.word(level)) is not None]


async def converse(stage: Stage, answer: Answer, near: LineEnd, **create: object) -> None:
    session = await stage.voice.create(user_id="ada")
    pipeline = stage.pipeline(answer)
    config = SessionConfig(floor=PATIENT)
    async with stage.voice.converse(session.id, pipeline, config=config, transport=near) as call:
        call.subscribe(stage.happened.append)
        async for _ in call.events():
            pass


async def test_a_caller_is_heard_and_answered_and_may_come_back_after_hanging_up(
    stage: Stage,
) -> None:
    near, far = loopback()
    caller = Caller(stage, far)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(converse, stage, echo, near)
        tasks.start_soon(caller.listen)
        await caller.say("good morning")
        await caller.wait(3 * SECOND_US)
        assert caller.words == ["you", "said", "good", "morning"]
        far.close()
        await anyio.wait_all_tasks_blocked()
        (session,) = (await stage.voice.find()).sessions
        assert session.pause_reasons == {PauseReason.DISCONNECTED}
        await stage.voice.end(session.id)
    assert (await stage.voice.get(session.id)).state is SessionState.ENDED


async def test_what_was_on_the_line_when_the_caller_interrupted_is_not_heard(stage: Stage) -> None:
    def story(_prompt: Prompt) -> Iterable[ReplyPart]:
        yield "one two three four five six seven eight nine ten eleven twelve"

    near, far = loopback(most_bytes=6_400)
    caller = Caller(stage, far)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(converse, stage, story, near)
        await caller.say("tell me a story")
        await caller.wait(2 * SECOND_US)  # nobody listens yet: the line is full
        await caller.say("stop it please now")
        assert stage.happenings(ReplyCleared)
        await caller.wait(100_000)
        tasks.start_soon(caller.listen)
        await caller.wait(100_000)
        assert caller.heard == []
        tasks.cancel_scope.cancel()


async def test_a_session_that_ends_leaves_the_line(stage: Stage) -> None:
    near, far = loopback()
    caller = Caller(stage, far)
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(converse, stage, echo, near)
            await caller.say("hello")
            (session,) = (await stage.voice.find()).sessions
            await stage.voice.end(session.id)
    await far.send(bytes(640))  # it is still open: whoever made it closes it
