"""Who is asked, in which order, and who is left alone."""

import pytest

from voicesession.core.breaker import BreakerPolicy
from voicesession.core.errors import InvalidConfig
from voicesession.runtime.chain import Chain
from voicesession.runtime.pipeline import Pipeline
from voicesession.testing.stage import Stage


class Engine:
    def __init__(self, name: str, closed: list[str]) -> None:
        self.name = name
        self._closed = closed

    async def aclose(self) -> None:
        self._closed.append(self.name)


class Nameplate:
    """An engine with nothing to close."""

    name = "nameplate"


def test_a_chain_has_an_engine() -> None:
    with pytest.raises(InvalidConfig):
        Chain()


async def test_a_chain_is_named_after_its_primary_and_closes_all_the_last_first() -> None:
    closed: list[str] = []
    chain = Chain(Engine("first", closed), Nameplate(), Engine("last", closed))
    assert chain.name == "first"
    await chain.aclose()
    assert closed == ["last", "first"]


def test_an_engine_that_keeps_failing_is_left_alone_and_tried_again_later() -> None:
    (link,) = Chain(Engine("e", []), breaker=BreakerPolicy(failures=2, open_us=100)).links
    assert link.admits(0)
    assert not link.failed(0)
    assert link.admits(0)
    assert link.failed(0)
    assert not link.admits(99)
    assert link.admits(100)


def test_work_is_given_back_only_some_time_after_the_last_failure() -> None:
    (link,) = Chain(Engine("e", []), breaker=BreakerPolicy(open_us=100)).links
    assert link.has_recovered(0)
    link.failed(7)
    assert not link.has_recovered(106)
    assert link.has_recovered(107)


async def test_a_pipeline_makes_a_chain_of_a_single_engine_and_leaves_a_chain_alone() -> None:
    stage = Stage()
    chain = Chain(stage.stt)
    single = stage.pipeline()
    assert [link.name for link in single.tts.links] == ["scripted"]
    both = Pipeline(vad=single.vad, stt=chain, tts=single.tts, agent=single.agent)
    assert both.stt is chain
    assert both.tts is single.tts
