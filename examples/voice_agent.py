"""
A voice agent without a network: Silero hears, PocketSphinx writes, eSpeak NG speaks.

The caller is synthesised too, and time is turned by hand, so that this runs anywhere in a
moment. In a real application the audio comes from a WebSocket or a telephone, and time
passes by itself.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import voicesession
from voicesession import HangUp, Pipeline, Prompt
from voicesession.core.resample import Resampler
from voicesession.providers.offline.espeak import EspeakTextToSpeech
from voicesession.providers.offline.pocketsphinx import PocketSphinxSpeechToText
from voicesession.providers.offline.silero import SileroVoiceActivityDetector
from voicesession.runtime.clock import SteppedClock

GRAMMAR = """#JSGF V1.0;
grammar shop;
public <wish> = two coffees please | thank you goodbye;
"""


class Waiter:
    name = "waiter"

    async def reply(self, prompt: Prompt) -> AsyncGenerator[str | HangUp]:
        if "coffees" in prompt.text:
            yield "Two coffees, they are on their way."
        else:
            yield "Goodbye!"
            yield HangUp()


async def said(text: str) -> bytes:
    """The caller's voice: 16 kHz, with silence behind it."""
    voice = EspeakTextToSpeech("en-us+f3", rate_wpm=150)
    resampler = Resampler(voice.audio_format.sample_rate, 16_000)
    speech = b"".join([resampler.push(p.pcm) async for p in voice.speak(text, language="en")])
    return speech + resampler.finish() + bytes(2 * 16_000 * 2)


async def main() -> None:
    pipeline = Pipeline(
        vad=SileroVoiceActivityDetector(),
        stt=PocketSphinxSpeechToText(GRAMMAR),
        tts=EspeakTextToSpeech("en-us"),
        agent=Waiter(),
    )
    caller = await said("two coffees please") + bytes(96_000) + await said("thank you goodbye")
    clock = SteppedClock(datetime.now(UTC))
    async with voicesession.open("memory://", clock=clock) as voice:
        session = await voice.create(user_id="ada", language="en", store_transcript=True)
        async with voice.converse(session.id, pipeline) as call:
            for start in range(0, len(caller), 640):  # 20 ms each
                if call.is_over:
                    break
                await call.process_audio(caller[start : start + 640])
                await call.settled()
                for piece in call.take_audio():
                    call.played(piece)
                clock.advance(20_000)
        for utterance in (await voice.transcript(session.id)).utterances:
            print(f"{utterance.speaker}: {utterance.text}")


if __name__ == "__main__":
    asyncio.run(main())
