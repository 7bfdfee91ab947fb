"""Nothing is forgotten before it is answered, and nothing answered is asked again."""

from typing import Any

from hypothesis import given, strategies as st

from voicesession.core.audio import AudioFormat
from voicesession.runtime.backlog import Backlog, Question

FORMAT = AudioFormat()
PIECE_US = 20_000
PIECE_BYTES = FORMAT.bytes_at(PIECE_US)


class Stream:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.given: list[object] = []

    def push(self, pcm: bytes, at_us: int, /) -> None:
        self.given.append((at_us, pcm))

    def flush(self) -> None:
        self.given.append(Question.FLUSH)

    def mark(self) -> None:
        self.given.append(Question.MARK)

    def __aiter__(self) -> Any:
        raise AssertionError

    async def aclose(self) -> None:
        raise AssertionError


def backlog(*, most_us: int = 30_000_000) -> Backlog:
    log = Backlog(FORMAT, most_us=most_us)
    log.voice = True
    return log


def piece(number: int) -> bytes:
    return number.to_bytes(2, "little") * (PIECE_BYTES // 2)


def what_begins_anew(log: Backlog) -> list[object]:
    stream = Stream()
    log.begin_anew(stream, 0)
    return stream.given


STEPS = st.lists(st.sampled_from(["push", "flush", "mark", "flushed", "marked"]), max_size=60)


@given(STEPS)
def test_a_new_stream_is_given_exactly_what_was_not_answered_in_the_same_order(
    steps: list[str],
) -> None:
    log = backlog()
    given: list[object] = []
    at_us = 0

    def forget(question: Question) -> None:
        if question in given:
            place = given.index(question)
            if question is Question.FLUSH:
                # Later marks stay: they are answered by themselves.
                given[: place + 1] = [g for g in given[:place] if g is Question.MARK]
            else:
                del given[place]

    for number, step in enumerate(steps):
        if step == "push":
            log.push(piece(number), at_us)
            given.append((at_us, piece(number)))
            at_us += PIECE_US
        elif step in ("flush", "mark"):
            log.ask(Question(step), 0)
            given.append(Question(step))
        else:
            question = Question.FLUSH if step == "flushed" else Question.MARK
            log.answered(question)
            forget(question)
    assert what_begins_anew(log) == given
    assert log.unheard_from_us is None


@given(st.integers(0, 100), st.integers(1, 40))
def test_no_more_is_kept_than_there_is_room_for_and_the_loss_is_known(
    pieces: int, room: int
) -> None:
    log = backlog(most_us=room * PIECE_US)
    for number in range(pieces):
        log.push(piece(number), number * PIECE_US)
    assert len(list(log.since(0))) == min(pieces, room)
    if pieces > room:
        assert log.unheard_from_us == 0
        assert log.from_us == (pieces - room) * PIECE_US
    else:
        assert log.unheard_from_us is None


def test_in_silence_a_moment_is_kept_and_nothing_counts_as_lost() -> None:
    log = backlog()
    log.voice = False
    for number in range(500):
        log.push(piece(number), number * PIECE_US)
    assert sum(len(pcm) for _, pcm in log.since(0)) == FORMAT.bytes_at(300_000)
    assert log.unheard_from_us is None


def test_final_words_settle_the_audio_up_to_their_end_and_none_behind_a_flush() -> None:
    log = backlog()
    for number in range(10):
        log.push(piece(number), number * PIECE_US)
        if number == 4:
            log.ask(Question.FLUSH, 0)
    log.heard_until(3 * PIECE_US)
    assert [at for at, _ in log.since(0)] == [n * PIECE_US for n in range(3, 10)]
    log.heard_until(9 * PIECE_US)
    assert [at for at, _ in log.since(0)] == [n * PIECE_US for n in range(5, 10)]


def test_what_followed_a_cut_begins_on_a_sample() -> None:
    log = backlog()
    for number in range(3):
        log.push(piece(number), number * PIECE_US)
    (first_us, first), (second_us, second) = log.since(30_000)
    assert (first_us, len(first)) == (30_000, PIECE_BYTES // 2)
    assert (second_us, second) == (40_000, piece(2))


def test_an_answer_that_was_not_asked_for_is_none() -> None:
    log = backlog()
    log.push(piece(1), 0)
    assert not log.answered(Question.FLUSH)
    assert len(what_begins_anew(log)) == 1


def test_a_question_put_again_has_just_been_asked() -> None:
    log = backlog()
    log.ask(Question.FLUSH, 5)
    log.begin_anew(Stream(), 70)
    flush = log.oldest_flush
    assert flush is not None
    assert flush.at_us == 70


def test_a_stream_may_be_left_when_no_words_are_owed_whatever_else_is() -> None:
    log = backlog()
    assert not log.is_settled
    log.voice = False
    assert log.is_settled
    log.ask(Question.FLUSH, 0)
    log.ask(Question.MARK, 0)
    assert log.awaits_words
    assert not log.is_settled
    log.answered(Question.FLUSH)
    assert log.is_settled
    log.words = True
    assert not log.is_settled
