"""
A worker that runs sessions until it is killed; `test_killed_worker.py` and others run it.

    python doomed_worker.py STORE RECORDINGS SESSIONS LEASE_S

It prints the id of each session once its words are durable, ``ready`` when the first second of
its audio must be safe, and goes on recording.
"""

import sys
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import count

import anyio

import voicesession
from voicesession import Speaker, Track, Utterance
from voicesession.core.utterance import UtteranceId

A_TENTH = bytes(range(160)) * 20
TURNS_UNTIL_SAFE = 60


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main(store: str, recordings: str, sessions: int, lease_s: float) -> None:
    voice = voicesession.open(store, recordings=recordings, lease=timedelta(seconds=lease_s))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(voice)
        calls = []
        for number in range(sessions):
            session = await voice.create(
                user_id=f"user_{number}", store_audio=True, store_transcript=True
            )
            call = await stack.enter_async_context(voice.attach(session.id))
            await call.live()
            call.audio(Track.USER, A_TENTH * 10)
            said = Utterance(
                id=UtteranceId(f"utt_{number}"),
                speaker=Speaker.USER,
                text=f"hello from {number}",
                start_us=0,
                end_us=900_000,
            )
            await call.final(said)
            calls.append(call)
            say(session.id)
        for turn in count():
            for call in calls:
                call.audio(Track.USER, A_TENTH)
            await anyio.sleep(0.02)
            if turn == TURNS_UNTIL_SAFE:
                say("ready")


anyio.run(main, sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
