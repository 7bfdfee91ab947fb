"""
A machine that attacks a Conversation, and the witness that watches what it answers.

A host can hold its own Conversation against the same rules: give every batch of effects to a
:class:`FloorWitness`, which fails as soon as one of them cannot be true.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ..core.floor.config import FloorConfig
from ..core.floor.conversation import Conversation
from ..core.floor.effects import (
    BeginReply,
    BeginSay,
    CancelReply,
    CommitReply,
    CutUtterance,
    Effect,
    Effects,
    FloorChanged,
    FlushRecogniser,
    HoldSpeech,
    ReleaseSpeech,
    ReplyEnded,
    ReplyId,
    SpeechEnded,
    SpeechStarted,
    StartSpeech,
    StopSpeech,
    TurnCommitted,
    TurnReopened,
    UserAway,
    UtteranceHeard,
)
from ..core.floor.trace import Fact, decode_fact, encode_fact, replay_trace
from ..core.heard import SpeechMark
from ..core.states import TurnState
from ..core.utterance import Word
from .strategies_floor import floor_configs

__all__ = ("ConversationMachine", "FloorWitness", "ReplyStory")

_WINDOW_US = 32_000
_WORDS = ("yes", "no", "mhm", "book", "a", "flight", "to", "Paris", "Wait,", "Really?")


class ReplyStory:
    """What is known of one reply that is not over."""

    def __init__(self, *, speculative: bool) -> None:
        self.speculative = speculative
        self.is_started = False
        self.is_held = False
        self.is_stopped = False
        self.is_heard = False


class FloorWitness:
    """Believes no effect before it has checked that it may come now.

    Tell it beside the effects what was played (``played``) and which flushes were answered.

    Attributes:
        at_us: The latest time seen.
        replies: Every reply that is not over.
        pending: Words that were heard and are in no turn yet.
        open_flushes: Flushes that nobody has answered.
    """

    def __init__(self) -> None:
        self.at_us = 0
        self.state = TurnState.INITIAL
        self.replies: dict[ReplyId, ReplyStory] = {}
        self.pending: list[str] = []
        self.heard: list[str] = []
        self.open_flushes = 0
        self._begun = 0
        self._voice_is_on = False
        self._last_turn: list[str] = []
        self._owes_answer = False

    def played(self, reply_id: ReplyId) -> None:
        """Take that some audio of the reply is going to be reported as played."""
        story = self.replies.get(reply_id)
        if story is not None and story.is_started:
            story.is_heard = True

    def see(self, effects: Effects) -> None:
        """Check *effects*, one batch, in order.

        Raises:
            AssertionError: One of them may not come now, or something is missing.
        """
        assert not effects or self.state is not TurnState.ENDED, "an effect after the end"
        for effect in effects:
            self._see_voice(effect)
            self._see_turn(effect)
            self._see_reply(effect)
        assert not self._owes_answer, "a turn without an answer"
        assert not any(story.is_stopped for story in self.replies.values()), "stopped, not over"

    def _see_voice(self, effect: Effect) -> None:
        match effect:
            case SpeechStarted():
                assert not self._voice_is_on
                self._voice_is_on = True
            case SpeechEnded():
                assert self._voice_is_on
                self._voice_is_on = False
            case FlushRecogniser():
                self.open_flushes += 1
            case CutUtterance():
                assert self._voice_is_on
            case UtteranceHeard(text=text):
                self.heard += text.split()
                self.pending += text.split()
            case _:
                pass

    def _see_turn(self, effect: Effect) -> None:
        match effect:
            case TurnCommitted(text=text, start_us=start_us, end_us=end_us):
                assert start_us <= end_us
                assert not self._someone_speaks()
                left_out = self.pending.copy()
                for word in text.split():
                    left_out.remove(word)
                assert {"mhm"}.issuperset(left_out), "words in no turn"
                self._last_turn, self.pending = text.split(), []
                self._owes_answer = True
            case TurnReopened():
                assert self._last_turn
                self._last_turn, self.pending = [], self._last_turn + self.pending
            case FloorChanged(state=state, at_us=at_us):
                assert state is not self.state
                assert at_us >= self.at_us
                self.state, self.at_us = state, at_us
            case UserAway():
                assert not self._someone_speaks()
            case _:
                pass

    def _see_reply(self, effect: Effect) -> None:
        match effect:
            case BeginReply(reply_id=reply_id, speculative=speculative):
                self._begin(reply_id, speculative=speculative)
                self._owes_answer = self._owes_answer and speculative
            case BeginSay(reply_id=reply_id):
                self._begin(reply_id, speculative=False)
            case CommitReply(reply_id=reply_id):
                assert self.replies[reply_id].speculative
                self.replies[reply_id].speculative = False
                self._owes_answer = False
            case CancelReply(reply_id=reply_id, wasted=wasted):
                story = self.replies.pop(reply_id)
                assert not story.is_heard
                assert story.speculative is wasted
                assert story.is_started is story.is_stopped
            case ReplyEnded(reply_id=reply_id):
                self._end(effect, self.replies.pop(reply_id))
            case StartSpeech() | HoldSpeech() | ReleaseSpeech() | StopSpeech():
                self._see_sound(effect, self.replies[effect.reply_id])
            case _:
                pass

    def _see_sound(
        self, effect: StartSpeech | HoldSpeech | ReleaseSpeech | StopSpeech, story: ReplyStory
    ) -> None:
        assert not story.is_stopped, "a sound after its stop"
        assert not story.speculative
        if isinstance(effect, StartSpeech):
            assert not self._someone_speaks(), "two voices"
            story.is_started = True
        assert story.is_started
        if isinstance(effect, HoldSpeech | ReleaseSpeech):
            assert story.is_held is isinstance(effect, ReleaseSpeech)
            story.is_held = not story.is_held
        story.is_stopped = isinstance(effect, StopSpeech)

    def _someone_speaks(self) -> bool:
        return any(story.is_started for story in self.replies.values())

    def _begin(self, reply_id: ReplyId, *, speculative: bool) -> None:
        assert reply_id not in self.replies
        self._begun += 1
        assert reply_id <= self._begun
        self.replies[reply_id] = ReplyStory(speculative=speculative)

    def _end(self, ended: ReplyEnded, story: ReplyStory) -> None:
        assert not story.speculative
        assert story.is_stopped is ended.interrupted
        assert story.is_heard or not ended.interrupted
        assert ended.generated_text.startswith(ended.spoken_text)
        assert ended.start_us <= ended.end_us


class ConversationMachine(RuleBasedStateMachine):
    """A user, a recogniser, an agent, a synthesiser and a host who do what they like.

    Whatever they do: at most one reply speaks and none after its stop; words in are words out;
    every turn ends once they all go quiet; time does not run backwards; nothing
    is due, and nothing comes, after the end; and the trace replays to the same effects.
    """

    @initialize(config=floor_configs())
    def begin(self, config: FloorConfig) -> None:
        self.config = config
        self.conversation = Conversation(config)
        self.witness = FloorWitness()
        self.at_us = 0
        self.texts: dict[ReplyId, str] = {}
        self.words_said: list[str] = []
        self.trace: list[str] = []
        self.effects: list[Effect] = []
        self.tell("start")

    def tell(self, name: str, *arguments: object) -> None:
        """Tell the conversation one fact, now, and check what it answers."""
        fact = Fact(name, (self.at_us, *arguments))
        self.trace.append(encode_fact(fact))
        effects = fact.tell(self.conversation)
        self.effects += effects
        self.witness.see(effects)
        for effect in effects:
            if isinstance(effect, BeginReply | BeginSay):
                self.texts[effect.reply_id] = effect.text if isinstance(effect, BeginSay) else ""

    @rule(windows=st.integers(1, 40), probability=st.sampled_from([0.05, 0.4, 0.95]))
    def voice_sounds(self, windows: int, probability: float) -> None:
        for _ in range(windows):
            self.at_us += _WINDOW_US
            self.tell("voice", probability)

    @rule(seconds=st.integers(0, 20))
    def time_passes(self, seconds: int) -> None:
        self.at_us += seconds * 1_000_000
        self.tell("tick")

    @rule()
    def a_timer_is_met(self) -> None:
        due_us = self.conversation.next_timer_us
        if due_us is not None:
            self.at_us = due_us
            self.tell("tick")

    @rule(words=st.lists(st.sampled_from(_WORDS), max_size=5))
    def words_seem_to_come(self, words: list[str]) -> None:
        self.tell("interim", " ".join(words), max(0, self.at_us - 900_000), self.at_us, ())

    @rule(words=st.lists(st.sampled_from(_WORDS), min_size=1, max_size=5), timed=st.booleans())
    def words_come(self, words: list[str], timed: bool) -> None:
        # No two words overlap, or one of them would rightly be taken for the other heard twice.
        start_us, self.at_us = self.at_us, self.at_us + 100_000 * len(words)
        spoken = tuple(
            Word(text=word, start_us=start_us + 100_000 * n, end_us=start_us + 100_000 * (n + 1))
            for n, word in enumerate(words)
        )
        if self.witness.state is not TurnState.ENDED:
            self.words_said += words
        text = " ".join(words)
        self.tell("final", text, start_us, self.at_us, 0.9, spoken if timed else ())

    @rule()
    def recogniser_answers(self) -> None:
        self.witness.open_flushes = max(0, self.witness.open_flushes - 1)
        self.tell("flushed")

    @rule(ago_us=st.integers(0, 4_000_000))
    def recogniser_hears_an_end(self, ago_us: int) -> None:
        self.tell("endpoint", max(0, self.at_us - ago_us))

    @rule(probability=st.floats(0, 1))
    def detector_speaks(self, probability: float) -> None:
        self.tell("turn_probability", probability)

    @rule(word=st.sampled_from(_WORDS))
    def user_types(self, word: str) -> None:
        if self.witness.state is not TurnState.ENDED:
            self.words_said.append(word)
        self.tell("typed", word)

    @rule(text=st.sampled_from(["", "One moment.", "This call is recorded."]), polite=st.booleans())
    def host_says(self, text: str, polite: bool) -> None:
        closed = self.witness.state in {TurnState.INITIAL, TurnState.ENDED}
        before = len(self.effects)
        self.tell("say", text, polite)
        assert closed or isinstance(self.effects[before], BeginSay)

    @rule(pick=st.integers(0, 5), text=st.sampled_from(["Yes. ", " ", "I will do that for you. "]))
    def agent_writes(self, pick: int, text: str) -> None:
        reply_id = self._some_reply(pick)
        self.texts[reply_id] = self.texts.get(reply_id, "") + text
        self.tell("reply_text", reply_id, text)

    @rule(pick=st.integers(0, 5), fails=st.booleans())
    def agent_is_done(self, pick: int, fails: bool) -> None:
        self.tell("reply_failed" if fails else "reply_finished", self._some_reply(pick))

    @rule(pick=st.integers(0, 5), duration_us=st.integers(0, 4_000_000), marked=st.booleans())
    def synthesiser_speaks(self, pick: int, duration_us: int, marked: bool) -> None:
        reply_id = self._some_reply(pick)
        text_end = len(self.texts.get(reply_id, ""))
        marks = (SpeechMark(text_end, duration_us),) if marked else ()
        self.tell("speech_made", reply_id, text_end, duration_us, marks)

    @rule(pick=st.integers(0, 5))
    def synthesiser_is_done(self, pick: int) -> None:
        self.tell("speech_finished", self._some_reply(pick))

    @rule(pick=st.integers(0, 5), played_us=st.integers(1, 5_000_000))
    def audio_plays(self, pick: int, played_us: int) -> None:
        reply_id = self._some_reply(pick)
        self.witness.played(reply_id)
        self.tell("playout", reply_id, played_us)

    @rule(name=st.sampled_from(["interrupt", "pause", "resume", "start"]))
    def host_intervenes(self, name: str) -> None:
        self.tell(name)

    @precondition(lambda self: len(self.trace) > 100)
    @rule()
    def session_ends(self) -> None:
        self.tell("end")

    @invariant()
    def the_state_is_the_last_one_told(self) -> None:
        assert self.conversation.state is self.witness.state

    @invariant()
    def a_timer_lies_ahead_and_only_while_the_floor_is_open(self) -> None:
        due_us = self.conversation.next_timer_us
        closed = self.witness.state in {TurnState.INITIAL, TurnState.ENDED}
        assert due_us is None or (due_us > self.at_us and not closed)

    def teardown(self) -> None:
        self.tell("resume")
        for _ in range(40):
            self._everyone_comes_to_an_end()
        assert self.witness.state in {TurnState.LISTENING, TurnState.AWAY, TurnState.ENDED}
        assert not self.witness.replies
        if self.witness.state is not TurnState.ENDED:
            assert {"mhm"}.issuperset(self.witness.pending)
        self.tell("end")
        # Not in order: what a cut keeps back may be overtaken by something typed.
        assert sorted(self.witness.heard) == sorted(self.words_said)
        facts = [decode_fact(line) for line in self.trace]
        assert list(replay_trace(self.config, facts)) == self.effects

    def _everyone_comes_to_an_end(self) -> None:
        for _ in range(30):
            self.at_us += _WINDOW_US
            self.tell("voice", 0.0)
        if self.witness.open_flushes:
            self.recogniser_answers()
        for reply_id in list(self.witness.replies):
            self.tell("reply_finished", reply_id)
            self.tell("speech_made", reply_id, len(self.texts[reply_id]), 5_000_000, ())
            self.tell("speech_finished", reply_id)
            self.audio_plays_out(reply_id)

    def audio_plays_out(self, reply_id: ReplyId) -> None:
        self.witness.played(reply_id)
        self.tell("playout", reply_id, 9_000_000)

    def _some_reply(self, pick: int) -> ReplyId:
        """One of the last replies, over or not; or one that never was."""
        return ReplyId(max(0, len(self.texts) - pick))
