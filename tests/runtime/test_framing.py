"""Audio may come in pieces of any size; what leaves are whole frames, all of them, in order."""

from hypothesis import given, strategies as st

from voicesession.runtime.framing import Framing


@given(
    st.lists(st.binary(max_size=50), max_size=20),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 40),
)
def test_pieces_of_any_size_come_out_whole_and_in_order(
    given_audio: list[bytes], frame_bytes: int, piece_bytes: int
) -> None:
    framing = Framing(frame_bytes, piece_bytes)
    cut = [framing.cut(audio) for audio in given_audio]
    assert all(pieces for pieces in cut)
    out = [piece for pieces in cut for piece in pieces]
    assert all(len(piece) % frame_bytes == 0 for piece in out)
    assert max(map(len, out), default=0) <= max(piece_bytes, frame_bytes)
    whole = b"".join(given_audio)
    assert b"".join(out) == whole[: len(whole) - len(whole) % frame_bytes]
