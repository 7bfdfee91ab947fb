"""What every ``SpeechToText`` does."""

from __future__ import annotations

from abc import ABC, abstractmethod

import anyio
import pytest

from ....ports.speech import (
    Final,
    Flushed,
    Interim,
    Marked,
    MarksProgress,
    Recognition,
    RecognitionStream,
    SpeechToText,
)
from .examples import FORMAT, PATIENCE_S, SIZES, name_is_fit_for_metrics, pieces

__all__ = ("MarksProgressContract", "RecognitionContract", "SpeechToTextContract")


class RecognitionContract(ABC):
    """The manners of a recogniser, whatever it understands: give it a ``recogniser``."""

    @pytest.fixture
    @abstractmethod
    def recogniser(self) -> SpeechToText: ...

    def test_its_name_is_fit_for_metrics(self, recogniser: SpeechToText) -> None:
        assert name_is_fit_for_metrics(recogniser.name)

    async def test_silence_has_no_words(self, recogniser: SpeechToText) -> None:
        stream = await recogniser.open(FORMAT, language="en")
        stream.push(bytes(FORMAT.bytes_at(2_000_000)), 0)
        assert [r for r in await _answer(stream) if isinstance(r, Final)] == []
        await stream.aclose()

    async def test_each_flush_of_silence_is_answered_once(self, recogniser: SpeechToText) -> None:
        stream = await recogniser.open(FORMAT, language="en")
        for _ in range(3):
            stream.flush()
        assert [await _results(stream) for _ in range(3)] == [[Flushed()]] * 3
        await stream.aclose()

    async def test_it_closes(self, recogniser: SpeechToText) -> None:
        await (await recogniser.open(FORMAT, language="auto")).aclose()
        await recogniser.aclose()


class SpeechToTextContract(RecognitionContract):
    """Subclass it and give it a ``recogniser`` and what is ``said`` to it."""

    @pytest.fixture
    @abstractmethod
    def said(self) -> tuple[str, bytes]:
        """A sentence in lower case, and its audio with a pause around it: s16le, mono, 16 kHz."""

    @pytest.mark.parametrize("size", SIZES)
    async def test_what_was_said_is_written_down(
        self, recogniser: SpeechToText, said: tuple[str, bytes], size: int
    ) -> None:
        text, pcm = said
        stream = await recogniser.open(FORMAT, language="en")
        for piece, at_us in pieces(pcm, size):
            stream.push(piece, at_us)
        assert _words(await _answer(stream)) == text.split()
        await stream.aclose()

    async def test_words_lie_where_they_were_pushed(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        _, pcm = said
        begins_us = 3_600_000_000
        stream = await recogniser.open(FORMAT, language="en")
        for piece, at_us in pieces(pcm):
            stream.push(piece, begins_us + at_us)
        ends_us = begins_us + FORMAT.duration_us(len(pcm))
        for result in await _answer(stream):
            if isinstance(result, Interim | Final):
                assert begins_us <= result.start_us <= result.end_us <= ends_us
                times = [(word.start_us, word.end_us) for word in result.words]
                assert all(result.start_us <= s <= e <= result.end_us for s, e in times)
                assert times == sorted(times)
        await stream.aclose()

    async def test_each_flush_is_answered_once_behind_the_words_before_it(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        text, pcm = said
        stream = await recogniser.open(FORMAT, language="en")
        at_us = 0
        for flushes in (1, 3, 1):
            stream.push(pcm, at_us)
            at_us += FORMAT.duration_us(len(pcm))
            for _ in range(flushes):
                stream.flush()
        answers = [_words(await _results(stream)) for _ in range(5)]
        assert answers == [text.split(), text.split(), [], [], text.split()]
        await stream.aclose()

    async def test_streams_do_not_hear_each_other(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        text, pcm = said
        streams = [await recogniser.open(FORMAT, language="en") for _ in range(3)]
        for piece, at_us in pieces(pcm):
            for index, stream in enumerate(streams):
                stream.push(piece if index else bytes(len(piece)), at_us)
        answers: dict[int, list[str]] = {}

        async def collect(index: int) -> None:
            answers[index] = _words(await _answer(streams[index]))

        async with anyio.create_task_group() as group:
            for index in range(3):
                group.start_soon(collect, index)
        assert answers == {0: [], 1: text.split(), 2: text.split()}
        for stream in streams:
            await stream.aclose()

    async def test_closing_ends_the_iteration(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        stream = await recogniser.open(FORMAT, language="en")
        listening = anyio.Event()

        async def listen() -> None:
            listening.set()
            async for _ in stream:
                pass

        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as group:
                group.start_soon(listen)
                await listening.wait()
                stream.push(said[1], 0)
                await stream.aclose()
        await stream.aclose()
        assert [result async for result in stream] == []


class MarksProgressContract(SpeechToTextContract):
    """For recognisers whose streams have `MarksProgress`: it takes the place of the other."""

    async def test_each_mark_is_answered_once_in_its_place(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        stream = await recogniser.open(FORMAT, language="en")
        assert isinstance(stream, MarksProgress)
        stream.push(said[1], 0)
        stream.mark()
        stream.mark()
        stream.flush()
        stream.mark()
        stream.flush()
        answers = [r for _ in range(2) for r in await _results(stream)]
        answers = [r for r in answers if isinstance(r, Marked | Flushed)]
        assert answers == [Marked(), Marked(), Flushed(), Marked(), Flushed()]
        await stream.aclose()

    async def test_a_mark_flushes_nothing(
        self, recogniser: SpeechToText, said: tuple[str, bytes]
    ) -> None:
        text, pcm = said
        stream = await recogniser.open(FORMAT, language="en")
        assert isinstance(stream, MarksProgress)
        for piece, at_us in pieces(pcm):
            stream.push(piece, at_us)
            stream.mark()
        assert _words(await _answer(stream)) == text.split()
        await stream.aclose()


async def _answer(stream: RecognitionStream) -> list[Recognition]:
    stream.flush()
    return await _results(stream)


async def _results(stream: RecognitionStream) -> list[Recognition]:
    """Return what comes until the next flush is answered."""
    results: list[Recognition] = []
    with anyio.fail_after(PATIENCE_S):
        async for result in stream:
            results.append(result)
            if isinstance(result, Flushed):
                break
    return results


def _words(results: list[Recognition]) -> list[str]:
    text = " ".join(result.text for result in results if isinstance(result, Final))
    return "".join(c for c in text.lower() if c.isalnum() or c in " '").split()
