"""From what happens in a session to what its client is told. Sans-I/O; time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from ...core.accounts import Level, Line, Standing
from ...core.events import BudgetLevelReached
from ...core.floor import effects as floor
from ...core.floor.effects import ReplyId
from ...core.life import apply
from ...core.utterance import UtteranceId
from ...runtime.happenings import (
    AudioUnheard,
    BudgetLevelPassed,
    BudgetRanOut,
    EngineSlow,
    Failed,
    RecorderDegraded,
    ReplyCleared,
    SessionChanged,
    UtteranceStored,
)
from ...schemas import messages
from ...schemas.messages import ServerMessage
from ..statuses import problem_of
from .query import Wishes
from .story import Moment, durable_message, final_message

__all__ = ("Narrator",)

_US_PER_S: Final = 1_000_000


class Narrator:
    """Tells one client of one session.

    Attributes:
        wishes: What it wants to be told.
        is_conversation: Whether there is an agent, with replies and turns.

    Args:
        told_until: The last entry of the journal that it has been told of.
    """

    def __init__(self, wishes: Wishes, *, told_until: int, is_conversation: bool) -> None:
        self.wishes = wishes
        self._told_until = told_until
        self.is_conversation = is_conversation
        self._seq_of: dict[UtteranceId, int] = {}
        self._budget_seqs: list[int] = []
        self._used_up: set[Line] = set()
        self._begun: ReplyId | None = None

    def tell(self, happening: object, *, at: datetime) -> Iterator[ServerMessage]:
        """Yield what the client is told of *happening*."""
        kind = type(happening)
        if kind in _TELLERS and (self.is_conversation or kind not in _OF_AN_AGENT):
            yield from _TELLERS[kind](self, happening, at)

    def has_begun(self, reply_id: ReplyId) -> bool:
        """Whether the audio that is being sent is of that reply."""
        return reply_id == self._begun

    def begin(self, reply_id: ReplyId, *, sample_rate: int, at: datetime) -> ServerMessage:
        """Return what is said before the first audio of a reply."""
        self._begun = reply_id
        return messages.ReplyBegin(at=at, reply_id=reply_id, sample_rate=sample_rate)

    # --- durable ---------------------------------------------------------------------------

    def session_changed(self, change: SessionChanged, at: datetime) -> Iterator[ServerMessage]:
        before = change.before
        for entry in change.entries:
            # Mostly there is but one entry, and what it led to is known.
            is_last = entry.seq == change.after.seq
            after = change.after if is_last else apply(before, entry.event)
            moment = Moment(before=before, entry=entry, after=after)
            before = after
            if entry.seq <= self._told_until:
                continue
            if moment.utterance_id is not None:
                self._seq_of[moment.utterance_id] = entry.seq
            elif isinstance(entry.event, BudgetLevelReached):
                self._budget_seqs.append(entry.seq)
            elif (message := durable_message(moment, at=at)) is not None:
                yield message

    def utterance_stored(self, stored: UtteranceStored, at: datetime) -> Iterator[ServerMessage]:
        seq = self._seq_of.pop(stored.utterance.id, None)
        if seq is not None:
            words = self.wishes.word_timestamps
            yield final_message(stored.utterance, seq, at=at, words=words)

    def budget(self, passed: BudgetLevelPassed, at: datetime) -> Iterator[ServerMessage]:
        if not self._budget_seqs:
            return
        standing = passed.standing
        if standing.level is Level.EXHAUSTED:
            self._used_up.add(standing.line)
        yield _budget_warning(standing, at, str(standing.level), seq=self._budget_seqs.pop(0))

    def ran_out(self, ran_out: BudgetRanOut, at: datetime) -> Iterator[ServerMessage]:
        """Say why it will pause, where others have used the limit up: only they journal that."""
        for standing in ran_out.exhausted:
            if standing.line not in self._used_up:
                yield _budget_warning(standing, at, "used up")
        if not ran_out.exhausted:
            why = "money is limited, and nobody knows what an engine costs"
            yield messages.Warned(at=at, code="price_unknown", message=why)
        self._used_up.clear()

    # --- of the moment -----------------------------------------------------------------------

    def partial(self, heard: floor.PartialHeard, at: datetime) -> Iterator[ServerMessage]:
        if self.wishes.interim_results:
            start, end = heard.start_us / _US_PER_S, heard.end_us / _US_PER_S
            yield messages.TranscriptPartial(at=at, text=heard.text, start=start, end=end)

    def reply_cleared(self, cleared: ReplyCleared, at: datetime) -> Iterator[ServerMessage]:
        if cleared.reply_id == self._begun:
            yield messages.ReplyClear(at=at, reply_id=cleared.reply_id)

    def reply_over(
        self, over: floor.ReplyEnded | floor.CancelReply, at: datetime
    ) -> Iterator[ServerMessage]:
        if over.reply_id != self._begun:
            return  # nothing of it was ever sent
        self._begun = None
        yield messages.ReplyEnd(
            at=at,
            reply_id=over.reply_id,
            interrupted=over.interrupted if isinstance(over, floor.ReplyEnded) else True,
            spoken_text=over.spoken_text if isinstance(over, floor.ReplyEnded) else "",
        )

    def failed(self, failed: Failed, at: datetime) -> Iterator[ServerMessage]:
        problem = problem_of(failed.error)
        yield messages.ErrorOccurred(
            at=at,
            code=problem["code"],
            message=problem["detail"],
            retryable=problem["retryable"],
        )


_Teller = Callable[[Narrator, Any, datetime], Iterator[ServerMessage]]


def _budget_warning(
    standing: Standing, at: datetime, level: str, *, seq: int | None = None
) -> messages.BudgetWarning:
    share, line = standing.utilization, standing.line
    return messages.BudgetWarning(
        at=at,
        seq=seq,
        meter=line.meter,
        scope=line.account.scope,
        utilization=None if share is None else float(share),
        remaining=standing.remaining,
        message=f"the limit of the {line.account.scope} for {line.meter} is {level}",
    )


def _speech_start(
    _narrator: Narrator, started: floor.SpeechStarted, at: datetime
) -> Iterator[ServerMessage]:
    yield messages.VadSpeechStart(at=at, timestamp=started.at_us / _US_PER_S)


def _speech_end(
    _narrator: Narrator, ended: floor.SpeechEnded, at: datetime
) -> Iterator[ServerMessage]:
    yield messages.VadSpeechEnd(at=at, timestamp=ended.at_us / _US_PER_S)


def _turn(
    _narrator: Narrator, changed: floor.FloorChanged, at: datetime
) -> Iterator[ServerMessage]:
    yield messages.TurnStateChanged(at=at, state=changed.state.value)


def _degraded(
    _narrator: Narrator, degraded: RecorderDegraded, at: datetime
) -> Iterator[ServerMessage]:
    yield messages.RecorderDegraded(at=at, reason=degraded.problem.kind.value)


def _unheard(_narrator: Narrator, _lost: AudioUnheard, at: datetime) -> Iterator[ServerMessage]:
    yield messages.Warned(at=at, code="audio_unheard")


def _slow(_narrator: Narrator, slow: EngineSlow, at: datetime) -> Iterator[ServerMessage]:
    yield messages.Warned(at=at, code=f"{slow.stage}_slow")


_TELLERS: Final[Mapping[type[object], _Teller]] = MappingProxyType(
    {
        SessionChanged: Narrator.session_changed,
        UtteranceStored: Narrator.utterance_stored,
        BudgetLevelPassed: Narrator.budget,
        BudgetRanOut: Narrator.ran_out,
        floor.PartialHeard: Narrator.partial,
        floor.SpeechStarted: _speech_start,
        floor.SpeechEnded: _speech_end,
        floor.FloorChanged: _turn,
        floor.ReplyEnded: Narrator.reply_over,
        floor.CancelReply: Narrator.reply_over,
        ReplyCleared: Narrator.reply_cleared,
        RecorderDegraded: _degraded,
        AudioUnheard: _unheard,
        EngineSlow: _slow,
        Failed: Narrator.failed,
    }
)
_OF_AN_AGENT: Final = frozenset({floor.FloorChanged})
