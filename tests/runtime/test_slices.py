"""What is reserved is used slice by slice, to the microsecond."""

from hypothesis import given, strategies as st

from voicesession.core.accounts import HoldId
from voicesession.runtime.slices import Slices

AMOUNTS = st.lists(st.integers(1, 60_000_000), min_size=1, max_size=8)


def granted(amounts: list[int]) -> Slices:
    slices = Slices()
    for number, amount_us in enumerate(amounts):
        slices.add(HoldId(f"h{number}"), amount_us)
    return slices


@given(amounts=AMOUNTS, data=st.data())
def test_each_slice_is_used_up_before_the_next_is_begun(
    amounts: list[int], data: st.DataObject
) -> None:
    slices = granted(amounts)
    used_us = data.draw(st.integers(0, sum(amounts)))
    slices.left_us -= used_us
    used_up = slices.pop_used_up()
    assert [*used_up.values()] == amounts[: len(used_up)]
    assert 0 <= slices.used_us < [*amounts, 1][len(used_up)]
    assert sum(used_up.values()) + slices.used_us == used_us
    assert slices.left_us == sum(amounts) - used_us
    assert slices.pop_used_up() == {}


@given(amounts=AMOUNTS, data=st.data())
def test_all_that_is_given_back_says_how_much_of_it_was_used(
    amounts: list[int], data: st.DataObject
) -> None:
    slices = granted(amounts)
    used_us = data.draw(st.integers(0, sum(amounts)))
    slices.left_us -= used_us
    popped = slices.pop_all()
    assert [*popped] == [f"h{number}" for number in range(len(amounts))]
    assert sum(popped.values()) == used_us
    assert all(used <= held for used, held in zip(popped.values(), amounts, strict=True))
    assert (slices.left_us, slices.used_us, slices.pop_all()) == (0, 0, {})
