"""
What one step of the Conversation costs, beside a bare state change and two state machine libraries.

    python -m pip install transitions python-statemachine
    python benchmarks/floor_step.py [--json]

All run in this process, one after the other, several times over; the best round of each counts. ``x bare``
is the cost against a dict lookup and the store of a slot, the least that any table-driven machine
has to do. The libraries change between the same three states without guards or callbacks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from timeit import repeat
from typing import Any

from statemachine import State, StateMachine
from transitions import Machine

from voicesession.core.floor.config import FloorConfig
from voicesession.core.floor.conversation import Conversation
from voicesession.core.floor.effects import ReplyId
from voicesession.core.floor.trace import Fact
from voicesession.core.states import TurnState

ROUNDS = 7
WINDOW_US = 32_000

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
    """Audio of the agent is played: a step that runs all the rules."""
    conversation = Conversation(FloorConfig())
    conversation.start(0)
    conversation.say(0, "Hello")
    reply_id = ReplyId(1)
    conversation.speech_made(0, reply_id, 5, 1_000_000)
    return partial(conversation.playout, 0, reply_id, 500_000)


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
    "bare dict lookup + slot store": (bare, 500_000),
    "Conversation: a quiet window": (quiet_window, 500_000),
    "Conversation: a loud window": (loud_window, 500_000),
    "Conversation: playout": (playout, 20_000),
    "transitions": (with_transitions, 20_000),
    "python-statemachine": (with_python_statemachine, 2_000),
}


def a_turn() -> list[Fact]:
    """Fifteen seconds of talk: a question, an answer, and the silence around them."""
    facts = [Fact("start", (0,))]
    for window in range(1, 15_000_000 // WINDOW_US):
        at_us = window * WINDOW_US
        facts.append(Fact("voice", (at_us, 0.9 if 2_000_000 < at_us < 5_000_000 else 0.05)))
        if 2_500_000 < at_us < 5_000_000 and window % 9 == 0:
            facts.append(Fact("interim", (at_us, "what time is it in", 2_000_000, at_us, ())))
        if window == 5_600_000 // WINDOW_US:
            text = "What time is it in Rome?"
            facts.append(Fact("final", (at_us, text, 2_000_000, 4_900_000, 0.9, ())))
            facts.append(Fact("flushed", (at_us,)))
        if window == 6_000_000 // WINDOW_US:
            for reply_id in (1, 2):
                facts.append(Fact("reply_text", (at_us, reply_id, "It is noon in Rome.")))
                facts.append(Fact("reply_finished", (at_us, reply_id)))
                facts.append(Fact("speech_made", (at_us, reply_id, 19, 4_000_000, ())))
                facts.append(Fact("speech_finished", (at_us, reply_id)))
        if 6_000_000 < at_us < 10_100_000:
            played_us = at_us - 6_000_000
            facts += [Fact("playout", (at_us, reply_id, played_us)) for reply_id in (1, 2)]
    return facts


def turn_ns() -> float:
    """Return the cost of one fact in a whole turn, of any kind."""
    facts = [(fact.name, fact.arguments) for fact in a_turn()]
    config = FloorConfig()

    def lead() -> None:
        conversation = Conversation(config)
        for name, arguments in facts:
            getattr(conversation, name)(*arguments)

    return min(repeat(lead, number=20, repeat=ROUNDS)) / 20 / len(facts) * 1e9


def measure() -> dict[str, float]:
    """Return nanoseconds per step, by case."""
    costs = {
        name: min(repeat(make(), number=number, repeat=ROUNDS)) / number * 1e9
        for name, (make, number) in CASES.items()
    }
    return {**costs, "Conversation: any fact of a whole turn": turn_ns()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    costs = measure()
    least = costs["bare dict lookup + slot store"]
    if as_json:
        rows = {
            name: {"ns": round(ns, 1), "x_bare": round(ns / least, 2)} for name, ns in costs.items()
        }
        print(json.dumps(rows, indent=2))
        return
    print(f"{'':40}{'ns':>10}{'x bare':>10}{'x quiet window':>16}")
    quiet = costs["Conversation: a quiet window"]
    for name, ns in costs.items():
        print(f"{name:40}{ns:10.0f}{ns / least:10.1f}{ns / quiet:16.1f}")


if __name__ == "__main__":
    main()
