"""Engines by name, joined to a pipeline."""

import pytest

from voicesession.core.errors import InvalidConfig
from voicesession.providers.null import NullSpeechToText
from voicesession.wiring.engines import EngineChoice, engines

SILENT: EngineChoice = {"vad": "energy", "stt": "null", "tts": "null", "agent": "null"}


async def test_names_become_a_pipeline() -> None:
    async with engines(**SILENT) as pipeline:
        assert (pipeline.vad.name, pipeline.stt.name, pipeline.tts.name) == (
            "energy",
            "null",
            "null",
        )


async def test_an_engine_may_be_given_instead_of_named() -> None:
    mine = NullSpeechToText()
    async with engines(**SILENT | {"stt": mine}) as pipeline:
        assert pipeline.stt.links[0].engine is mine


@pytest.mark.parametrize("what", ["vad", "stt", "tts", "agent"])
async def test_an_unknown_name_is_refused_with_those_that_there_are(what: str) -> None:
    choice: EngineChoice = SILENT | {what: "parrot"}  # type: ignore[assignment]
    with pytest.raises(InvalidConfig, match=f"{what} is 'parrot'; allowed: .*null"):
        async with engines(**choice):
            pass
