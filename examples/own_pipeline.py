"""Keep a conversation that your own pipeline leads: pause it, end it, read it back."""

import asyncio

import voicesession
from voicesession import Speaker, Track, Utterance


async def main() -> None:
    async with voicesession.open("sqlite:///voice.db", recordings="./recordings") as voice:
        session = await voice.create(user_id="ada", store_audio=True, store_transcript=True)

        async with voice.attach(session.id) as call:
            await call.live()
            call.audio(Track.USER, bytes(64_000))  # two seconds from the caller
            call.partial("Good mor")
            await call.final(
                Utterance(
                    id="utt_1",
                    speaker=Speaker.USER,
                    text="Good morning.",
                    start_us=300_000,
                    end_us=1_200_000,
                )
            )
            await call.pause()
            accepted = call.audio(Track.USER, bytes(64_000))  # nobody listens now
            print("while paused, audio is", "accepted" if accepted else "dropped")
            await call.resume()
            await call.end()

        session = await voice.get(session.id)
        print(session.state, session.status, f"{session.audio_duration_seconds} s")
        print("recording:", session.audio_uri)
        for entry in await voice.journal(session.id):
            print(f"{entry.seq:3} {entry.type}")


if __name__ == "__main__":
    asyncio.run(main())
