"""
A dialogue written as text, led on a clock that is turned by hand.

    conversation = ScriptedConversation('''
        user: good morning
        agent: you said good morning
        (1.5 s)
        user: goodbye
        agent: you said goodbye
    ''')
    await conversation.run(my_answer)

The user's lines are spoken and a time in brackets is silence. An agent's line is what the
user must have heard, no more and no less, by the time the agent has finished; a line that
breaks off with ``--`` is heard so far, and the user speaks into the rest.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from ..core.errors import InvalidValue
from ..core.states import TurnState
from ..runtime.live import VoiceSession
from ..runtime.pipeline import Pipeline, SessionConfig
from .phone import STEP_US, Phone
from .stage import Answer, Stage

__all__ = ("ScriptedConversation",)

_LINE: Final = re.compile(r"(?P<who>user|agent):\s*(?P<words>.+)|\((?P<seconds>\d+(\.\d+)?)\s*s\)")
_SPOKEN_WITHIN_US: Final = 30_000_000


@frozen
class _Line:
    who: str
    words: str
    silence_us: int


class ScriptedConversation:
    """One caller's side of a call, and what the agent is to say.

    Raises:
        InvalidValue: A line is none of the three kinds.
    """

    def __init__(self, text: str) -> None:
        self._lines = [_parsed(line) for line in map(str.strip, text.splitlines()) if line]

    async def run(
        self,
        pipeline: Pipeline | Answer,
        *,
        stage: Stage | None = None,
        config: SessionConfig | None = None,
    ) -> None:
        """Lead the conversation from its first line to its last.

        Args:
            stage: Where, if the test wants to look at what happened.

        Raises:
            AssertionError: The agent said something else, or nothing.
        """
        if stage is None:
            async with Stage() as own:
                await self.run(pipeline, stage=own, config=config)
            return
        async with stage.call(pipeline, config=config) as (call, phone):
            heard = 0
            for line in self._lines:
                if line.who == "agent":
                    heard = await _expect(line.words, call, phone, heard)
                elif line.who == "user":
                    await phone.say(line.words)
                else:
                    await phone.wait(line.silence_us)


async def _expect(words: str, call: VoiceSession, phone: Phone, heard: int) -> int:
    """Listen until *words* were said and no others follow; return how many were heard by then."""
    expected = words.removesuffix("--").split()
    waited_us = 0
    while waited_us < _SPOKEN_WITHIN_US and not call.is_over:
        has_said = len(phone.heard_words) - heard >= len(expected)
        is_over = call.turn is TurnState.LISTENING or words.endswith("--")
        if has_said and is_over:
            break
        await phone.wait(STEP_US)
        waited_us += STEP_US
    said = phone.heard_words[heard:]
    assert said == expected, f"the agent said {' '.join(said)!r}, not {' '.join(expected)!r}"
    return heard + len(said)


def _parsed(line: str) -> _Line:
    found = _LINE.fullmatch(line)
    if found is None:
        raise InvalidValue("line", line, "user: …, agent: … or (1.5 s)")
    if found["seconds"] is not None:
        return _Line("", "", round(float(found["seconds"]) * 1_000_000))
    return _Line(found["who"], found["words"], 0)
