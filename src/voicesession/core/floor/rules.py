"""
When what happens on the floor.

Each rule looks at the floor as it is now and, if it applies, does one thing and says so. After
a fact they are run in their order until none applies any more: AGENT_RULES as long as the
agent has the floor, USER_RULES as long as it has not. No rule keeps a timer: where one comes
to apply by time alone, its deadline is a function here, which the rule asks too, so
the two cannot disagree.

A rule must not apply again to what it has done, and a deadline lies in the future or does
not count: so every run comes to an end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from .effects import AwayReason, TurnTooLong, UserAway
from .floor import Floor
from .interruption import interrupts, is_back_channel
from .voice_activity import SPEAKING

__all__ = ("NEVER", "next_deadline_us", "run_rules")

NEVER: Final = 1 << 62
"""Later than any media time."""


def stop_waiting_for_recogniser(floor: Floor) -> bool:
    """A recogniser that does not answer a flush holds the turn up only so long."""
    if not _has_come(floor, recogniser_due_us(floor)):
        return False
    floor.hearing.give_up()
    return True


def recogniser_due_us(floor: Floor) -> int | None:
    return floor.hearing.flush_due_us


def dismiss_noise(floor: Floor) -> bool:
    """A voice in which the recogniser has long heard no more words is none: a noise."""
    if not _has_come(floor, noise_due_us(floor)):
        return False
    floor.hearing.dismiss_noise(floor.now_us)
    return True


def noise_due_us(floor: Floor) -> int | None:
    since_us = floor.hearing.wordless_us
    return None if since_us is None else since_us + floor.config.endpointing.max_delay_us


def reopen_turn(floor: Floor) -> bool:
    """A user who goes on before the answer is heard was not finished: words, or a long voice."""
    answer = floor.speaking.unheard_answer
    if answer is None or not answer.interruptible:
        return False
    said = floor.hearing.turn.said
    has_words = bool(said) and not is_back_channel(floor.config.interruption, said)
    if not has_words and not _has_come(floor, continuation_due_us(floor)):
        return False
    floor.reopen_turn()
    return True


def continuation_due_us(floor: Floor) -> int | None:
    answer = floor.speaking.unheard_answer
    if answer is None or not answer.interruptible:
        return None
    return _voice_lasts_until(floor, answer.since_us, floor.config.continuation_us)


def yield_to_user(floor: Floor) -> bool:
    """A user who says enough while the agent speaks gets the floor."""
    current = floor.speaking.current
    if current is None or not current.interruptible or current is floor.speaking.unheard_answer:
        return False
    hearing = floor.hearing
    voiced_us = hearing.activity.voiced_us(current.started_us, floor.now_us)
    speech_us = max(voiced_us, hearing.turn.said_us)
    if not interrupts(floor.config.interruption, hearing.turn.said, speech_us):
        return False
    floor.yield_floor()
    return True


def interruption_due_us(floor: Floor) -> int | None:
    current = floor.speaking.current
    if current is None or not current.interruptible:
        return None
    min_speech_us = floor.config.interruption.min_speech_us
    return _voice_lasts_until(floor, current.started_us, min_speech_us)


def hold_speech(floor: Floor) -> bool:
    """The agent falls silent to listen; before it was heard at all, at any voice."""
    current = floor.speaking.current
    if current is None or not current.interruptible or current.held_us is not None:
        return False
    if current is floor.speaking.unheard_answer:
        listen = floor.hearing.is_in_doubt
    else:
        listen = _has_come(floor, hold_due_us(floor))
    if listen:
        speech_us = floor.hearing.activity.started_us
        floor.speaking.hold(current, floor.now_us, speech_us=speech_us)
    return listen


def hold_due_us(floor: Floor) -> int | None:
    current = floor.speaking.current
    after_us = floor.config.interruption.hold_after_us
    if current is None or not current.interruptible or after_us is None:
        return None
    if current.held_for_us == floor.hearing.activity.started_us:
        return None
    return _voice_lasts_until(floor, current.started_us, after_us)


def release_speech(floor: Floor) -> bool:
    """The agent goes on: what it heard was no interruption."""
    current = floor.speaking.current
    if current is None or current.held_us is None:
        return False
    if current is floor.speaking.unheard_answer:
        go_on = not floor.hearing.is_in_doubt
    else:
        go_on = _has_come(floor, release_due_us(floor))
    if go_on:
        floor.speaking.release(current)
    return go_on


def release_due_us(floor: Floor) -> int | None:
    current = floor.speaking.current
    if current is None or current.held_us is None or current is floor.speaking.unheard_answer:
        return None
    since_us = max(current.held_us, floor.hearing.last_words_us)
    return since_us + floor.config.interruption.false_interruption_us


def finish_reply(floor: Floor) -> bool:
    """A reply that has said all it had is over; one without text before it begins to speak."""
    speaking = floor.speaking
    for reply in (speaking.current, speaking.answering, *speaking.waiting):
        if reply is not None and reply.is_over:
            speaking.finish(reply, floor.now_us)
            return True
    return False


def stop_long_turn(floor: Floor) -> bool:
    """A user who does not come to an end is answered all the same."""
    if floor.is_too_long or not _has_come(floor, long_turn_due_us(floor)):
        return False
    floor.is_too_long = True
    floor.out.append(TurnTooLong(at_us=floor.now_us))
    floor.hearing.flush(floor.now_us)
    return True


def long_turn_due_us(floor: Floor) -> int | None:
    max_turn_us, turn = floor.config.max_turn_us, floor.hearing.turn
    if max_turn_us is None or turn.is_empty:
        return None
    return turn.start_us + max_turn_us


def ask_for_words(floor: Floor) -> bool:
    """Words that are not final when the turn is over are asked for."""
    hearing = floor.hearing
    if not hearing.turn.interim or hearing.flushes or not _turn_is_over(floor):
        return False
    hearing.flush(floor.now_us)
    return True


def commit_turn(floor: Floor) -> bool:
    """The turn is over and all its words are known: the agent answers."""
    hearing = floor.hearing
    if hearing.flushes or hearing.turn.interim or not _turn_is_over(floor):
        return False
    if not hearing.turn.texts:
        floor.is_too_long = False
        return False
    floor.commit_turn()
    return True


def endpoint_due_us(floor: Floor) -> int | None:
    hearing = floor.hearing
    if hearing.activity.is_on or hearing.turn.is_empty:
        return None
    return hearing.endpointing.due_us


def speculate(floor: Floor) -> bool:
    """A reply is begun before the turn is over, and dropped where the words changed too much."""
    preemption, hearing = floor.preemption, floor.hearing
    turn = hearing.turn
    if preemption.is_off or preemption.judged == turn.revision:
        return False
    if turn.is_empty:
        preemption.is_spent = False
        return floor.waste_speculation()
    speculation = floor.speaking.speculation
    holds = speculation is not None and preemption.holds(speculation.asked, turn.text)
    if speculation is not None and preemption.discards and not holds:
        preemption.is_spent = True
        return floor.waste_speculation()
    # While a flush is open more words are about to come: what is begun now is wasted.
    if hearing.flushes or not _has_come(floor, pause_due_us(floor)):
        return False
    preemption.judged = turn.revision
    if holds or preemption.is_spent:
        return False
    floor.waste_speculation()
    floor.speaking.speculate(turn.text)
    return True


def pause_due_us(floor: Floor) -> int | None:
    activity = floor.hearing.activity
    if floor.preemption.is_off or activity.state is SPEAKING:
        return None
    return activity.stopped_us + floor.config.preemption.min_pause_us if activity.is_on else 0


def speak_next(floor: Floor) -> bool:
    """What has text is spoken, one after the other; an answer not into the user's words."""
    speaking = floor.speaking
    if speaking.current is not None or not speaking.waiting:
        return False
    reply = speaking.waiting[0]
    may_be_void = reply is speaking.unheard_answer and reply.interruptible
    if may_be_void and floor.hearing.is_in_doubt:
        return False
    speaking.start_next(floor.now_us)
    return True


def miss_user(floor: Floor) -> bool:
    """A user who has not said a word for long is away, however noisy it is."""
    if not _has_come(floor, away_due_us(floor)):
        return False
    floor.away = AwayReason.NOISE if floor.was_noisy else AwayReason.SILENCE
    floor.out.append(UserAway(because=floor.away, at_us=floor.now_us))
    return True


def away_due_us(floor: Floor) -> int | None:
    after_us, hearing = floor.config.away_after_us, floor.hearing
    if after_us is None or floor.away is not None:
        return None
    if hearing.flushes or not hearing.turn.is_empty:
        return None
    return floor.quiet_since_us + after_us


def meet_user_again(floor: Floor) -> bool:
    """Words bring the user back; a voice does so where there was silence before."""
    if floor.away is None:
        return False
    voice = floor.away is AwayReason.SILENCE and floor.hearing.activity.is_on
    if not voice and floor.hearing.turn.is_empty:
        return False
    floor.away = None
    floor.attended_us = floor.now_us
    return True


def search_due_us(floor: Floor) -> int | None:
    """From then on each window is looked at, for the quietest point to cut at."""
    return floor.hearing.quietest.search_from_us


def silence_due_us(floor: Floor) -> int | None:
    """By then the voice is off, if the next windows are as soft as the last."""
    return floor.hearing.activity.silent_from_us


_Rule: TypeAlias = Callable[[Floor], bool]
_Deadline: TypeAlias = Callable[[Floor], int | None]

AGENT_RULES: Final[tuple[_Rule, ...]] = (
    stop_waiting_for_recogniser,
    dismiss_noise,
    reopen_turn,
    yield_to_user,
    hold_speech,
    release_speech,
    finish_reply,
    speak_next,
)
AGENT_DEADLINES: Final[tuple[_Deadline, ...]] = (
    recogniser_due_us,
    noise_due_us,
    continuation_due_us,
    interruption_due_us,
    hold_due_us,
    release_due_us,
    search_due_us,
    silence_due_us,
)

USER_RULES: Final[tuple[_Rule, ...]] = (
    stop_waiting_for_recogniser,
    dismiss_noise,
    stop_long_turn,
    ask_for_words,
    commit_turn,
    speculate,
    meet_user_again,
    miss_user,
)
USER_DEADLINES: Final[tuple[_Deadline, ...]] = (
    recogniser_due_us,
    noise_due_us,
    long_turn_due_us,
    endpoint_due_us,
    pause_due_us,
    away_due_us,
    search_due_us,
    silence_due_us,
)


def run_rules(floor: Floor) -> None:
    """Bring the floor to rest: no rule applies to it any more. A closed floor is at rest."""
    applied = floor.is_open
    while applied:
        applied = False
        for rule in AGENT_RULES if floor.speaking.has_floor else USER_RULES:
            if rule(floor):
                applied = True
                break


def next_deadline_us(floor: Floor) -> int:
    """Return when a rule may next apply by time alone; NEVER if none will."""
    if not floor.is_open:
        return NEVER
    now_us, earliest_us = floor.now_us, NEVER
    for deadline in AGENT_DEADLINES if floor.speaking.has_floor else USER_DEADLINES:
        due_us = deadline(floor)
        if due_us is not None and now_us < due_us < earliest_us:
            earliest_us = due_us
    return earliest_us


def _has_come(floor: Floor, due_us: int | None) -> bool:
    return due_us is not None and due_us <= floor.now_us


def _turn_is_over(floor: Floor) -> bool:
    return floor.hurry or floor.is_too_long or _has_come(floor, endpoint_due_us(floor))


def _voice_lasts_until(floor: Floor, since_us: int, duration_us: int) -> int | None:
    """Return when the present voice has lasted so long after *since_us*, if it goes on."""
    activity = floor.hearing.activity
    if activity.state is not SPEAKING:
        return None
    return max(activity.started_us, since_us) + duration_us
