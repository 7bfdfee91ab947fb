"""
The agent's side of the floor: its replies, and which one of them is being spoken.

A reply is in one of four places, and in none once it is over:

* ``speculation``  begun before the turn was over; nobody may hear of it yet
* ``answering``    answers the last turn; before it has text, in no other place
* ``waiting``      has text and waits for its turn to be spoken
* ``current``      is spoken, by a StartSpeech: at most one at any time

``answering`` names its reply until that is over, so it stands beside ``waiting`` or ``current``.
"""

from __future__ import annotations

from ..heard import MadeSpeech, SpeakingRate
from .effects import (
    BeginReply,
    BeginSay,
    CancelReply,
    CommitReply,
    Effect,
    HoldSpeech,
    ReleaseSpeech,
    ReplyEnded,
    ReplyId,
    StartSpeech,
    StopSpeech,
)
from .tokens import tokens
from .user_turn import Turn

__all__ = ("Reply", "Speaking")


class Reply:
    """One reply, from its beginning to its end.

    Attributes:
        asked: The tokens it was begun on, where that was before the turn was over.
        since_us: When it became the answer to a turn.
        has_text: There is something to speak.
        interruptible: The user's voice and typing may stop it.
        is_started: StartSpeech was given, at ``started_us``.
        held_us: Since when it is held, or None.
        held_for_us: The start of the speech that it was last held for, so it is held once each.
    """

    __slots__ = (
        "asked",
        "first_heard_us",
        "has_failed",
        "has_text",
        "held_for_us",
        "held_us",
        "interruptible",
        "is_started",
        "is_written",
        "last_heard_us",
        "made",
        "played_us",
        "reply_id",
        "since_us",
        "started_us",
        "text",
    )

    def __init__(self, reply_id: ReplyId, *, interruptible: bool) -> None:
        self.reply_id = reply_id
        self.since_us = 0
        self.asked: tuple[str, ...] = ()
        self.interruptible = interruptible
        self.text = ""
        self.has_text = False
        self.is_written = False
        self.has_failed = False
        self.made = MadeSpeech()
        self.is_started = False
        self.started_us = 0
        self.played_us = 0
        self.first_heard_us = 0
        self.last_heard_us = 0
        self.held_us: int | None = None
        self.held_for_us: int | None = None

    @property
    def is_heard(self) -> bool:
        """Some of it has reached the user."""
        return self.played_us > 0

    @property
    def is_audible(self) -> bool:
        """It is being played, or would be were it not held."""
        return self.is_heard or (self.held_us is None and self.made.duration_us > 0)

    @property
    def is_over(self) -> bool:
        """All that was written is spoken."""
        if not self.is_written:
            return False
        return not self.has_text or self.played_us >= self.made.all_heard_from_us

    @property
    def news_from_us(self) -> int:
        """Playout up to here or beyond is news: it is heard for the first time, or for the last."""
        return self.made.all_heard_from_us if self.is_heard else 0

    def write(self, text: str) -> None:
        """Add *text*."""
        self.text += text
        self.has_text = self.has_text or bool(text.strip())

    def heard(self, at_us: int, played_us: int) -> bool:
        """Take that *played_us* of it had been played at *at_us*; the total never shrinks.

        Returns:
            Whether that is news (see ``news_from_us``).
        """
        if played_us <= self.played_us or not self.is_started:
            return False
        is_news = played_us >= self.news_from_us
        if not self.is_heard:
            self.first_heard_us = max(self.started_us, at_us - played_us)
        self.played_us = played_us
        self.last_heard_us = at_us
        return is_news


class Speaking:
    """Begins replies, has them spoken one after the other, and ends them.

    Attributes:
        has_floor: Something is being spoken or will be.
    """

    __slots__ = (
        "_alive",
        "_answered",
        "_begun",
        "_out",
        "_rate",
        "answering",
        "current",
        "has_floor",
        "speculation",
        "waiting",
    )

    def __init__(self, out: list[Effect], replies_before: int) -> None:
        self._out = out
        self._alive: dict[ReplyId, Reply] = {}
        self._begun = replies_before
        self._answered: Turn | None = None
        self._rate = SpeakingRate()
        self.speculation: Reply | None = None
        self.answering: Reply | None = None
        self.waiting: list[Reply] = []
        self.current: Reply | None = None
        self.has_floor = False

    @property
    def unheard_answer(self) -> Reply | None:
        """The answer to the last turn, as long as the user knows nothing of it."""
        answering = self.answering
        return answering if answering is not None and answering.played_us == 0 else None

    def find(self, reply_id: ReplyId) -> Reply | None:
        """Return the reply, or None if it is over or never was."""
        return self._alive.get(reply_id)

    def speculate(self, text: str) -> None:
        """Begin a reply to *text* before the turn is over."""
        self.speculation = reply = self._begin()
        reply.asked = tokens(text)
        self._out.append(BeginReply(reply_id=reply.reply_id, text=text, speculative=True))

    def answer(self, turn: Turn, at_us: int, *, interruptible: bool) -> None:
        """Begin the reply to *turn*; with a speculation left, that is the reply."""
        reply, self.speculation = self.speculation, None
        if reply is None:
            reply = self._begin()
            self._out.append(BeginReply(reply_id=reply.reply_id, text=turn.text, speculative=False))
        else:
            self._out.append(CommitReply(reply.reply_id))
        reply.since_us = at_us
        reply.interruptible = interruptible
        self.answering, self._answered = reply, turn
        self.has_floor = True
        if reply.has_text:
            self.waiting.append(reply)

    def say(self, text: str, *, interruptible: bool) -> None:
        """Have *text* spoken after what waits already.

        Its BeginSay goes before all other effects, where the host looks for it.
        """
        reply = self._begin(interruptible=interruptible)
        reply.write(text)
        reply.is_written = True
        begin = BeginSay(reply_id=reply.reply_id, text=text, interruptible=interruptible)
        self._out.insert(0, begin)
        self.waiting.append(reply)
        self.has_floor = True

    def write(self, reply: Reply, text: str) -> bool:
        """Add *text*; with its first words an answer takes its place in the queue.

        Returns:
            Whether it did.
        """
        had_text = reply.has_text
        reply.write(text)
        is_first = reply is self.answering and reply.has_text and not had_text
        if is_first:
            self.waiting.append(reply)
        return is_first

    def synthesised(self, reply: Reply) -> None:
        """Take that all its audio is made."""
        reply.made.complete(self._rate)

    def start_next(self, at_us: int) -> None:
        """Have the first in the queue spoken; nothing is being spoken."""
        self.current = reply = self.waiting.pop(0)
        reply.is_started = True
        reply.started_us = at_us
        self._out.append(StartSpeech(reply.reply_id))

    def hold(self, reply: Reply, at_us: int, *, speech_us: int) -> None:
        """Silence the current reply for the speech that began at *speech_us*."""
        reply.held_us = at_us
        reply.held_for_us = speech_us
        self._out.append(HoldSpeech(reply.reply_id))

    def release(self, reply: Reply) -> None:
        """Let the current reply go on."""
        reply.held_us = None
        self._out.append(ReleaseSpeech(reply.reply_id))

    def waste(self) -> Reply | None:
        """Cancel the speculation and return it, if there is one."""
        reply = self.speculation
        if reply is not None:
            self._forget(reply)
            self._out.append(CancelReply(reply_id=reply.reply_id, wasted=True))
        return reply

    def withdraw(self) -> Turn | None:
        """Drop the answer that was not heard yet and return the turn that it answered."""
        answer, turn = self.unheard_answer, self._answered
        if answer is None:
            return None
        self.drop(answer)
        return turn

    def drop(self, reply: Reply) -> None:
        """Stop *reply* before its end: it was interrupted if it was heard, else it never was."""
        if reply.is_started:
            self._out.append(StopSpeech(reply.reply_id))
        if reply.is_heard:
            self._end(reply, reply.last_heard_us, interrupted=True)
        else:
            self._forget(reply)
            self._out.append(CancelReply(reply_id=reply.reply_id, wasted=False))

    def drop_all(self) -> None:
        """Stop whatever is spoken or would be; there is no speculation."""
        for reply in list(self._alive.values()):
            self.drop(reply)

    def finish(self, reply: Reply, at_us: int) -> None:
        """End a reply that has come to its own end."""
        self._end(reply, at_us, interrupted=False)

    def _begin(self, *, interruptible: bool = True) -> Reply:
        self._begun += 1
        reply = Reply(ReplyId(self._begun), interruptible=interruptible)
        self._alive[reply.reply_id] = reply
        return reply

    def _end(self, reply: Reply, at_us: int, *, interrupted: bool) -> None:
        self._forget(reply)
        played_us = reply.played_us if interrupted else reply.made.duration_us
        self._out.append(
            ReplyEnded(
                reply_id=reply.reply_id,
                generated_text=reply.text,
                spoken_text=reply.made.heard_of(reply.text, played_us, self._rate),
                start_us=reply.first_heard_us if reply.is_heard else at_us,
                end_us=reply.last_heard_us if reply.is_heard else at_us,
                interrupted=interrupted,
                failed=reply.has_failed,
            )
        )

    def _forget(self, reply: Reply) -> None:
        del self._alive[reply.reply_id]
        if reply is self.speculation:
            self.speculation = None
        if reply is self.answering:
            self.answering = None
        if reply is self.current:
            self.current = None
        if reply in self.waiting:
            self.waiting.remove(reply)
        self.has_floor = bool(self.current or self.answering or self.waiting)
