"""Who answers in the demo. A real application puts a language model here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import timedelta
from typing import Final, TypeAlias

from ..ports.agent import HangUp, Prompt, ReplyPart, ToolCall
from .desk import Desk

__all__ = ("STORY", "DemoAgent", "EchoAgent")

STORY: Final = (
    "Once upon a time there was a lighthouse at the end of the world. ",
    "Every evening its keeper climbed the stairs, two hundred and twelve of them, and lit the lamp. ",
    "One winter the sea froze, and a ship stood still in sight of the shore. ",
    "Its captain had a parrot, the parrot knew a song, and the song had ninety nine verses. ",
    "The first verse was about a king who could not sleep. ",
    "The second verse was about his cook, who could do nothing else. ",
    "And so it went on until the ice was gone. ",
)
"""Far longer than anybody's patience: it is there to be interrupted."""

_OUT_OF_REACH: Final = "The recording is out of my reach."
_WORDS_TO_FIND_THE_PLACE: Final = 5

_Answer: TypeAlias = Callable[[Prompt, Desk], Iterator[ReplyPart]]


class DemoAgent:
    """Answers a few questions about the conversation itself.

    Args:
        desk: What of the call it has at hand.
    """

    name = "demo"

    def __init__(self, desk: Desk | None = None) -> None:
        self._desk = desk or Desk()

    async def reply(self, prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        said = set(prompt.text.lower().split())
        answer = next((answer for words, answer in _TOPICS if words & said), _shrug)
        await self._desk.look()
        for part in answer(prompt, self._desk):
            yield part


class EchoAgent:
    """Repeats what it has heard: for a grammar that the demo knows nothing about."""

    name = "echo"

    async def reply(self, prompt: Prompt, /) -> AsyncGenerator[ReplyPart]:
        yield f"You said {prompt.text}."


def _say_goodbye(_prompt: Prompt, _desk: Desk) -> Iterator[ReplyPart]:
    yield "Goodbye. "
    yield "It was nice talking to you."
    yield HangUp()


def _pause_recording(_prompt: Prompt, desk: Desk) -> Iterator[ReplyPart]:
    # Asked for before it is done: not for a turn that may yet turn out to be another.
    yield ToolCall(id="pause", name="pause_recording", arguments="{}")
    yield "The recording is paused." if desk.pause_recording() else _OUT_OF_REACH


def _resume_recording(_prompt: Prompt, desk: Desk) -> Iterator[ReplyPart]:
    yield ToolCall(id="resume", name="resume_recording", arguments="{}")
    yield "The recording goes on." if desk.resume_recording() else _OUT_OF_REACH


def _tell_budget(_prompt: Prompt, desk: Desk) -> Iterator[ReplyPart]:
    if desk.left_us is None:
        yield "There is no limit to this call."
    else:
        yield f"This call has {_in_words(timedelta(microseconds=desk.left_us))} left."


def _fall_silent(_prompt: Prompt, _desk: Desk) -> Iterator[ReplyPart]:
    yield "All right, I will stop here."


def _tell_story(_prompt: Prompt, _desk: Desk) -> Iterator[ReplyPart]:
    yield from STORY


def _go_on(prompt: Prompt, _desk: Desk) -> Iterator[ReplyPart]:
    heard = next((u.text for u in reversed(prompt.history) if u.interrupted), "")
    last_words = " ".join(heard.split()[-_WORDS_TO_FIND_THE_PLACE:])
    story = "".join(STORY)
    # Past the last words that were heard; from the beginning where they are no part of it.
    place = story.find(last_words)
    yield f"Where was I? {story[place + len(last_words) if place >= 0 else 0 :].strip()}"


def _tell_duration(prompt: Prompt, _desk: Desk) -> Iterator[ReplyPart]:
    yield f"We have been talking for {_in_words(prompt.elapsed)}."


def _tell_time(prompt: Prompt, _desk: Desk) -> Iterator[ReplyPart]:
    # As the clock on this computer's wall shows it.
    yield f"It is {prompt.at.astimezone():%H:%M}."


def _greet(_prompt: Prompt, _desk: Desk) -> Iterator[ReplyPart]:
    yield "Hello. "
    yield "Ask me what time it is, or for a story."


def _thank(_prompt: Prompt, _desk: Desk) -> Iterator[ReplyPart]:
    yield "You are welcome."


def _hear(_prompt: Prompt, _desk: Desk) -> Iterator[ReplyPart]:
    yield "I can hear you."


def _shrug(prompt: Prompt, _desk: Desk) -> Iterator[ReplyPart]:
    yield f"You said {prompt.text}. I have no answer to that."


def _in_words(elapsed: timedelta) -> str:
    minutes, seconds = divmod(round(elapsed.total_seconds()), 60)
    counts = ((minutes, "minute"), (seconds, "second"))
    return (
        " and ".join(f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in counts if n) or "no time"
    )


_TOPICS: Final[tuple[tuple[frozenset[str], _Answer], ...]] = (
    (frozenset({"goodbye", "bye"}), _say_goodbye),
    (frozenset({"stop", "enough"}), _fall_silent),
    (frozenset({"pause"}), _pause_recording),
    (frozenset({"continue"}), _resume_recording),
    (frozenset({"budget"}), _tell_budget),
    (frozenset({"go"}), _go_on),
    (frozenset({"story"}), _tell_story),
    (frozenset({"talking", "long"}), _tell_duration),
    (frozenset({"time"}), _tell_time),
    (frozenset({"thank", "thanks"}), _thank),
    (frozenset({"hear"}), _hear),
    (frozenset({"hello", "hi", "morning"}), _greet),
)
"""The first of them with a word in common with what was said is what it was about."""
