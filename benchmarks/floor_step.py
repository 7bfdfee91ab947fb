"""
What one step of the Conversation costs, beside a bare state change and two state machine libraries.

    python -m pip install transitions python-statemachine
    python benchmarks/floor_step.py [--json]

All run in this process, one after the other, several times over; the best round of each counts. ``x bare``
is the cost against a dict lookup and the store of a slot, the least that any table-driven machine
has to do. The libraries change between the same three states without guards or callbacks.

The mean is over all the facts of a minute of conversation as they come: a window of the voice every
32 ms, what was played every 50 ms, interim words, turns and replies (see ``a_minute``).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from itertools import cycle, repeat
from timeit import repeat as timings
from typing import Any

from statemachine import State, StateMachine
from transitions import Machine

from voicesession.core.floor.config import FloorConfig
from voicesession.core.floor.conversation import Conversation
from voicesession.core.floor.effects import BeginReply, ReplyId
from voicesession.core.floor.trace import Fact
from voicesession.core.states import TurnState

ROUNDS = 25
REPORTS = 10_000
MS = 1_000
WINDOW_US = 32 * MS
PLAYED_US = 20 * MS
CONFIG = FloorConfig()
QUESTION = "What time is it in Rome at this moment, and is it later than in Lisbon?"
ANSWER = "It is noon in Rome. "
MEAN = "Conversation: mean of a minute"

TABLE = {
    TurnState.LISTENING: TurnState.PROCESSING,
    TurnState.PROCESSING: TurnState.SPEAKING,
    TurnState.SPEAKING: TurnState.LISTENING,
}


class Bare:
    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = TurnState.LISTENING

    def step(self) -> None:
        self.state = TABLE[self.state]


class Floor(StateMachine):
    listening = State(initial=True)
    processing = State()
    speaking = State()
    step = listening.to(processing) | processing.to(speaking) | speaking.to(listening)


class Model:
    step: Callable[[], bool]


def bare() -> Callable[[], Any]:
    return Bare().step


def quiet_window() -> Callable[[], Any]:
    """Nobody speaks: most windows of most calls."""
    conversation = Conversation(FloorConfig(away_after_us=None))
    conversation.start(0)
    return partial(conversation.voice, WINDOW_US, 0.1)


def loud_window() -> Callable[[], Any]:
    """The user goes on speaking."""
    conversation = Conversation(FloorConfig(away_after_us=None, max_utterance_us=None))
    conversation.start(0)
    for window in range(100):
        conversation.voice(window * WINDOW_US, 0.9)
    return partial(conversation.voice, 100 * WINDOW_US, 0.9)


def playout() -> Callable[[], Any]:
    """The agent speaks, and more of it was played."""
    conversation = Conversation(FloorConfig())
    conversation.start(0)
    conversation.say(0, "Hello")
    conversation.speech_made(0, ReplyId(1), 5, 1_000_000_000_000)
    # All numbers are there before: in a call they come off the wire.
    times_us = list(range(PLAYED_US, (ROUNDS * REPORTS + 1) * PLAYED_US, PLAYED_US))
    return map(conversation.playout, times_us, repeat(ReplyId(1)), times_us).__next__


def words() -> Callable[[], Any]:
    """A word more is recognised while the user speaks: a step that runs all the rules."""
    conversation = Conversation(FloorConfig())
    conversation.start(0)
    for window in range(10):
        conversation.voice(window * WINDOW_US, 0.9)
    texts = cycle(["what time is", "what time is it"])
    return map(conversation.interim, repeat(0), texts, repeat(0), repeat(0)).__next__


def with_transitions() -> Callable[[], Any]:
    model = Model()
    steps = [
        {"trigger": "step", "source": source.value, "dest": target.value}
        for source, target in TABLE.items()
    ]
    states = [state.value for state in TABLE]
    Machine(model, states=states, transitions=steps, initial="listening", auto_transitions=False)
    return model.step


def with_python_statemachine() -> Callable[[], Any]:
    machine = Floor()
    # An event is a str, which timeit would take for code.
    return lambda: machine.step()  # noqa: PLW0108  # as above


CASES: dict[str, tuple[Callable[[], Callable[[], Any]], int]] = {
    "bare dict lookup + slot store": (bare, 100_000),
    "Conversation: a quiet window": (quiet_window, 100_000),
    "Conversation: a loud window": (loud_window, 100_000),
    "Conversation: playout": (playout, REPORTS),
    "Conversation: interim words": (words, 2_000),
    "transitions": (with_transitions, 2_000),
    "python-statemachine": (with_python_statemachine, 200),
}


def a_minute() -> list[Fact]:
    """Four times: three seconds of a question, the agent's six seconds of an answer, and silence."""
    facts: list[Fact] = []
    conversation = Conversation(CONFIG)
    replies: list[ReplyId] = []

    def tell(name: str, *arguments: Any) -> None:
        facts.append(Fact(name, arguments))
        effects = facts[-1].tell(conversation)
        replies.extend(effect.reply_id for effect in effects if isinstance(effect, BeginReply))

    tell("start", 0)
    for at_us in range(MS, 60_000 * MS, MS):
        turn_us = at_us - at_us % (15_000 * MS)
        into_ms = (at_us - turn_us) // MS
        is_loud = 1_000 < into_ms <= 4_000
        if at_us % WINDOW_US == 0:
            tell("voice", at_us, 0.9 if is_loud else 0.05)
        if is_loud and into_ms % 250 == 0:
            said = QUESTION[: 1 + (into_ms - 1_000) * len(QUESTION) // 3_000]
            tell("interim", at_us, said, turn_us + 1_000 * MS, at_us)
        if into_ms == 4_700:
            tell("final", at_us, QUESTION, turn_us + 1_000 * MS, turn_us + 4_000 * MS)
            tell("flushed", at_us)
        if 5_000 <= into_ms < 6_000 and into_ms % 200 == 0:
            tell("reply_text", at_us, replies[-1], ANSWER)
            made = 1 + (into_ms - 5_000) // 200
            tell("speech_made", at_us, replies[-1], made * len(ANSWER), made * 1_200 * MS)
        if into_ms == 6_000:
            tell("reply_finished", at_us, replies[-1])
            tell("speech_finished", at_us, replies[-1])
        if 5_100 < into_ms <= 11_100 and into_ms % 50 == 0:
            tell("playout", at_us, replies[-1], (into_ms - 5_100) * MS)
    assert conversation.state is TurnState.LISTENING
    assert sum(fact.name == "playout" for fact in facts) == 480
    return facts


def mean_ns() -> float:
    """Return the cost of a fact of a minute of conversation."""
    facts = [(fact.name, fact.arguments) for fact in a_minute()]

    def lead() -> None:
        conversation = Conversation(CONFIG)
        for name, arguments in facts:
            getattr(conversation, name)(*arguments)

    return min(timings(lead, number=5, repeat=ROUNDS)) / 5 / len(facts) * 1e9


def measure() -> dict[str, float]:
    """Return nanoseconds per step, by case."""
    costs = {
        name: min(timings(make(), number=number, repeat=ROUNDS)) / number * 1e9
        for name, (make, number) in CASES.items()
    }
    return {**costs, MEAN: mean_ns()}


def compare(costs: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return each cost in ns, and against the bare step and the libraries' in this run."""
    against: dict[str, Callable[[float], float]] = {
        "x bare": lambda ns: ns / costs["bare dict lookup + slot store"],
        "transitions costs x": lambda ns: costs["transitions"] / ns,
        "python-statemachine costs x": lambda ns: costs["python-statemachine"] / ns,
    }
    return {
        name: {"ns": round(ns), **{each: round(of(ns), 1) for each, of in against.items()}}
        for name, ns in costs.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    rows = compare(measure())
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    columns = list(rows[MEAN])
    print(f"{'':32}" + "".join(f"{column:>{len(column) + 3}}" for column in columns))
    for name, row in rows.items():
        cells = (f"{row[column]:{len(column) + 3},}" for column in columns)
        print(f"{name:32}" + "".join(cells))


if __name__ == "__main__":
    main()
