"""The agent's voice goes out at the speed of speech, whole, one reply at a time."""

from hypothesis import given, strategies as st

from voicesession.core.floor.effects import ReplyId
from voicesession.runtime.playout import PIECE_US, AgentAudio, Playout

RATE = 16_000
FIRST, SECOND = ReplyId(1), ReplyId(2)
PIECE_BYTES = RATE * PIECE_US // 1_000_000 * 2


def speech(pieces: float, level: int = 1) -> bytes:
    return level.to_bytes(2, "little") * int(pieces * PIECE_BYTES // 2)


def due(playout: Playout, now_us: int) -> list[AgentAudio]:
    return list(iter(lambda: playout.take(now_us), None))


def played(playout: Playout, until_us: int, step_us: int = PIECE_US) -> list[AgentAudio]:
    return [p for now in range(0, until_us + 1, step_us) for p in due(playout, now)]


@given(st.lists(st.integers(0, 3 * PIECE_BYTES // 2), max_size=10), st.integers(1_000, 50_000))
def test_what_goes_out_is_what_came_in(samples: list[int], step_us: int) -> None:
    playout = Playout(RATE)
    given_pcm = b"".join(bytes([n % 251, 1]) * n for n in samples)
    offset = 0
    for n in samples:
        playout.add(FIRST, given_pcm[offset : offset + 2 * n])
        offset += 2 * n
    playout.complete(FIRST)
    playout.start(FIRST, 0)
    pieces = played(playout, 2_000_000, step_us)
    assert b"".join(p.pcm for p in pieces) == given_pcm
    assert [p.start_us for p in pieces] == [0, *(p.end_us for p in pieces)][: len(pieces)]


def test_nothing_goes_out_before_it_is_started() -> None:
    playout = Playout(RATE)
    playout.add(FIRST, speech(5))
    assert due(playout, 1_000_000) == []
    assert playout.next_due_us is None


def test_a_piece_is_due_when_the_one_before_it_has_been_heard() -> None:
    playout = Playout(RATE)
    playout.add(FIRST, speech(3))
    playout.start(FIRST, 100_000)
    assert len(due(playout, 100_000)) == 1
    assert playout.next_due_us == 120_000
    assert due(playout, 119_999) == []
    assert len(due(playout, 120_000)) == 1


def test_a_reader_that_was_late_does_not_get_everything_at_once() -> None:
    playout = Playout(RATE)
    playout.add(FIRST, speech(50))
    playout.start(FIRST, 0)
    assert len(due(playout, 0)) == 1
    assert len(due(playout, 500_000)) == 1
    assert playout.next_due_us == 520_000


def test_a_torn_piece_waits_for_the_rest_of_it_until_the_reply_is_complete() -> None:
    playout = Playout(RATE)
    playout.add(FIRST, speech(0.5))
    playout.start(FIRST, 0)
    assert due(playout, 10_000) == []
    playout.complete(FIRST)
    assert [len(p.pcm) for p in due(playout, 10_000)] == [PIECE_BYTES // 2]


def test_held_speech_is_kept_and_goes_on_where_it_was() -> None:
    playout = Playout(RATE)
    playout.add(FIRST, speech(1, 1) + speech(1, 2))
    playout.start(FIRST, 0)
    first = due(playout, 0)
    playout.hold()
    assert due(playout, 900_000) == []
    playout.release(1_000_000)
    second = due(playout, 1_000_000)
    assert [p.pcm for p in first + second] == [speech(1, 1), speech(1, 2)]


def test_a_dropped_reply_is_silent_at_once_and_another_may_start() -> None:
    playout = Playout(RATE)
    playout.add(FIRST, speech(10))
    playout.add(SECOND, speech(1, 7))
    playout.start(FIRST, 0)
    due(playout, 0)
    playout.drop(FIRST)
    assert due(playout, 20_000) == []
    assert playout.unplayed_us(FIRST) == 0
    playout.start(SECOND, 20_000)
    assert [p.reply_id for p in due(playout, 20_000)] == [SECOND]


def test_it_knows_how_much_there_is_and_how_much_is_left() -> None:
    playout = Playout(RATE)
    assert playout.add(FIRST, speech(2)) == 2 * PIECE_US
    assert playout.add(FIRST, speech(1)) == 3 * PIECE_US
    playout.start(FIRST, 0)
    due(playout, 0)
    assert playout.unplayed_us(FIRST) == 2 * PIECE_US
    assert playout.add(FIRST, speech(1)) == 4 * PIECE_US
