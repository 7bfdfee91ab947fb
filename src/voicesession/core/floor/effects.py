"""
What the floor wants done. A Conversation never does anything: it answers with these.

Carry them out in the order in which they stand.

* The user's voice     SpeechStarted · SpeechEnded · PartialHeard · UtteranceHeard
* The recogniser       FlushRecogniser · CutUtterance
* The turn             TurnCommitted · TurnReopened · TurnTooLong · UserAway · FloorChanged
* A reply's text       BeginReply · CommitReply · CancelReply · BeginSay
* A reply's sound      StartSpeech · HoldSpeech · ReleaseSpeech · StopSpeech · ReplyEnded

**The life of a reply.** It begins with BeginReply or BeginSay and is over with exactly one of
CancelReply (nothing of it was heard) or ReplyEnded (all the others, an empty one too). In between
there is at most one StartSpeech, and no sound may leave before it. After StopSpeech,
CancelReply or ReplyEnded nothing more is done with its id, and what is still reported of it
is ignored.

All times are microseconds of media time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NewType, TypeAlias

from attrs import frozen

from ..states import TurnState
from ..utterance import Word

__all__ = (
    "NOTHING",
    "AwayReason",
    "BeginReply",
    "BeginSay",
    "CancelReply",
    "CommitReply",
    "CutUtterance",
    "Effect",
    "Effects",
    "FloorChanged",
    "FlushRecogniser",
    "HoldSpeech",
    "PartialHeard",
    "ReleaseSpeech",
    "ReplyEnded",
    "ReplyId",
    "SpeechEnded",
    "SpeechStarted",
    "StartSpeech",
    "StopSpeech",
    "TurnCommitted",
    "TurnReopened",
    "TurnTooLong",
    "UserAway",
    "UtteranceHeard",
)

ReplyId = NewType("ReplyId", int)
"""Names a reply of a session: 1, 2, 3 … in the order in which they begin.

A Conversation that goes on with a session counts on from the ``replies_before`` it.
"""


class AwayReason(StrEnum):
    """What was to be heard while the user was taken to be away."""

    SILENCE = "silence"
    NOISE = "noise"


@frozen(kw_only=True)
class SpeechStarted:
    """The user's voice is on. ``at_us`` lies before its first loud window, by the padding."""

    at_us: int


@frozen(kw_only=True)
class SpeechEnded:
    """The user's voice is off, since ``at_us``: the silence that proves it came after that."""

    at_us: int


@frozen(kw_only=True)
class PartialHeard:
    """What the user seems to be saying; the next one, or an utterance, replaces it."""

    text: str
    start_us: int
    end_us: int
    words: tuple[Word, ...] = ()


@frozen(kw_only=True)
class UtteranceHeard:
    """Final words of the user, to be made durable. Every final word comes in exactly one.

    Attributes:
        confidence: 0 to 1, or None where the recogniser gives none, or it was typed.
        words: With times, where the recogniser gives them.
    """

    text: str
    start_us: int
    end_us: int
    confidence: float | None = None
    words: tuple[Word, ...] = ()


@frozen
class FlushRecogniser:
    """Ask the recogniser for its final words; one ``flushed()`` answers each of these."""


@frozen(kw_only=True)
class CutUtterance:
    """The user speaks without a pause: the utterance is cut at ``at_us``, the quietest point.

    A FlushRecogniser follows. Where the recogniser tells the times of words, push it the
    audio from ``at_us`` on once more after that flush, so that a word which the flush
    has torn is whole in the next utterance. Words that are heard twice by this are kept
    once, and without the second push none is lost.
    """

    at_us: int


@frozen(kw_only=True)
class TurnCommitted:
    """The user's turn is over; a BeginReply or a CommitReply follows."""

    text: str
    start_us: int
    end_us: int


@frozen(kw_only=True)
class TurnReopened:
    """The user went on before the answer was heard, or the floor closed before it.

    The last TurnCommitted is void; its words are part of the next one.
    """

    at_us: int


@frozen(kw_only=True)
class TurnTooLong:
    """The user has reached the longest turn allowed; it is committed after a flush."""

    at_us: int


@frozen(kw_only=True)
class UserAway:
    """Nothing was said for as long as the config allows, in silence or in mere noise."""

    because: AwayReason
    at_us: int


@frozen(kw_only=True)
class FloorChanged:
    """Somebody else has the floor now."""

    state: TurnState
    at_us: int


@frozen(kw_only=True)
class BeginReply:
    """Ask the agent to answer ``text``.

    Attributes:
        speculative: The turn is not over yet: do nothing that cannot be thrown away
            (tools with side effects wait) until CommitReply says that it came true.
    """

    reply_id: ReplyId
    text: str
    speculative: bool


@frozen
class CommitReply:
    """The speculation came true: what was deferred may run now."""

    reply_id: ReplyId


@frozen(kw_only=True)
class CancelReply:
    """Stop generating and forget the reply: nothing of it was heard.

    Attributes:
        wasted: It was a speculation that did not come true.
    """

    reply_id: ReplyId
    wasted: bool


@frozen(kw_only=True)
class BeginSay:
    """Synthesise ``text``, given by the host."""

    reply_id: ReplyId
    text: str
    interruptible: bool


@frozen
class StartSpeech:
    """Play the reply, as soon as there is audio of it. At most one is played at any time."""

    reply_id: ReplyId


@frozen
class HoldSpeech:
    """Fall silent, but keep what is not played yet: the user may be interrupting."""

    reply_id: ReplyId


@frozen
class ReleaseSpeech:
    """Go on playing where it was held: it was no interruption."""

    reply_id: ReplyId


@frozen
class StopSpeech:
    """Fall silent at once, drop what is not played, stop generating.

    A ReplyEnded or CancelReply of the same id follows.
    """

    reply_id: ReplyId


@frozen(kw_only=True)
class ReplyEnded:
    """The reply is over. Every field is final; ``spoken_text`` is what was heard.

    Attributes:
        spoken_text: A prefix of ``generated_text``, the whole unless interrupted.
        start_us: When it was first heard; when it ended, if it never was.
        end_us: When it was last heard; never before ``start_us``.
        interrupted: It was stopped by the user, by ``interrupt()`` or by leaving LIVE.
        failed: The agent failed; the text before that was spoken.
    """

    reply_id: ReplyId
    generated_text: str
    spoken_text: str
    start_us: int
    end_us: int
    interrupted: bool
    failed: bool


Effect: TypeAlias = (
    SpeechStarted
    | SpeechEnded
    | PartialHeard
    | UtteranceHeard
    | FlushRecogniser
    | CutUtterance
    | TurnCommitted
    | TurnReopened
    | TurnTooLong
    | UserAway
    | FloorChanged
    | BeginReply
    | CommitReply
    | CancelReply
    | BeginSay
    | StartSpeech
    | HoldSpeech
    | ReleaseSpeech
    | StopSpeech
    | ReplyEnded
)
Effects: TypeAlias = tuple[Effect, ...]

NOTHING: Final[Effects] = ()
"""What most windows of audio come to: the same empty tuple every time."""
