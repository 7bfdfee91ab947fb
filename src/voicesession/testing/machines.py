"""
Rule-based machines: any sequence of operations keeps the invariants.

Use them as they are (``TestX = TranscriptMachine.TestCase``), or subclass them with the
rules of your own adapter.
"""

from __future__ import annotations

from collections import Counter

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ..core.errors import InvalidValue
from ..core.transcript import Transcript, discard, finalise, revise
from ..core.utterance import Utterance, UtteranceId
from .strategies import utterances

__all__ = ("TranscriptMachine",)

_IDS = st.sampled_from([UtteranceId(f"utt_{number}") for number in range(5)])


class TranscriptMachine(RuleBasedStateMachine):
    """Words in = words out, however often and in whatever order they are delivered."""

    def __init__(self) -> None:
        super().__init__()
        self.transcript = Transcript()
        self.finals: dict[UtteranceId, Utterance] = {}
        self.interims: dict[UtteranceId, Utterance] = {}

    @rule(interim=utterances(ids=_IDS))
    def an_interim_comes(self, interim: Utterance) -> None:
        self.transcript = revise(self.transcript, interim)
        if interim.id not in self.finals:
            self.interims[interim.id] = interim

    @rule(final=utterances(ids=_IDS))
    def a_final_comes_once_or_again(self, final: Utterance) -> None:
        final = self.finals.setdefault(final.id, final)
        self.transcript = finalise(self.transcript, final)
        self.interims.pop(final.id, None)

    @precondition(lambda self: self.finals)
    @rule(data=st.data())
    def another_final_comes_with_a_known_id(self, data: st.DataObject) -> None:
        known = self.finals[data.draw(st.sampled_from(sorted(self.finals)))]
        other = evolve(known, text=known.text + " or not")
        try:
            finalise(self.transcript, other)
        except InvalidValue:
            return
        raise AssertionError(f"a second final for {known.id} was taken")

    @rule(utterance_id=_IDS)
    def an_utterance_comes_to_nothing(self, utterance_id: UtteranceId) -> None:
        self.transcript = discard(self.transcript, utterance_id)
        self.interims.pop(utterance_id, None)

    @invariant()
    def words_in_are_words_out(self) -> None:
        words_in = Counter(word for final in self.finals.values() for word in final.text.split())
        assert Counter(self.transcript.text.split()) == words_in
        assert self.transcript.word_count == words_in.total()

    @invariant()
    def it_holds_the_finals_and_the_open_interims(self) -> None:
        assert {final.id: final for final in self.transcript.utterances} == self.finals
        assert {one.id: one for one in self.transcript.interims} == self.interims

    @invariant()
    def media_time_does_not_run_backwards(self) -> None:
        starts = [utterance.start_us for utterance in self.transcript.utterances]
        assert starts == sorted(starts)
