"""How many streams of events may be open."""

from contextlib import ExitStack

import pytest
from hypothesis import given, strategies as st

from voicesession.schemas.refusals import RateLimited
from voicesession.web.streams import Streams

CALLERS = st.sampled_from(["acme/ada", "acme/bob", "evil/eve"])


@given(callers=st.lists(CALLERS, max_size=30))
def test_nobody_takes_more_than_their_share_and_all_together_no_more_than_there_are(
    callers: list[str],
) -> None:
    streams = Streams(5, 2)
    with ExitStack() as opened:
        taken: list[str] = []
        for caller in callers:
            has_room = len(taken) < 5 and taken.count(caller) < 2
            if has_room:
                streams.check(caller)
                opened.enter_context(streams.one_more(caller))
                taken.append(caller)
            else:
                with pytest.raises(RateLimited):
                    streams.check(caller)
    for caller in callers:
        streams.check(caller)
    assert not streams._open
