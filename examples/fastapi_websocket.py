"""A WebSocket of your own over a durable session: every word, every second, every limit."""

from fastapi import FastAPI, WebSocket

import voicesession
from voicesession import SessionNotFound, Speaker, Utterance
from voicesession.runtime.happenings import BudgetLevelPassed, SessionChanged

voice = voicesession.open("sqlite:///voice.db")
app = FastAPI(lifespan=voice.lifespan)


@app.websocket("/live-sessions/{session_id}/ws")
async def talk(websocket: WebSocket, session_id: str) -> None:
    await websocket.accept()
    outbox: list[dict[str, str]] = []

    def hear(what: object) -> None:
        if isinstance(what, BudgetLevelPassed):  # at 80 %, and at 100 %
            outbox.append({"type": "budget_warning", "level": what.standing.level})
        elif isinstance(what, SessionChanged) and what.new_state:  # PAUSED at 100 %
            outbox.append({"type": "state", "state": what.new_state})

    try:
        async with voice.attach(session_id) as call:
            call.subscribe(hear)
            await call.live()
            async for said in websocket.iter_json():  # what your recogniser understood
                call.partial(said["text"])
                if said["final"]:
                    at = {"start_us": said["start_us"], "end_us": said["end_us"]}
                    words = Utterance(id=said["id"], speaker=Speaker.USER, text=said["text"], **at)
                    await call.final(words)
                    await call.charge(audio_minutes=said["minutes"])
                while outbox:
                    await websocket.send_json(outbox.pop(0))
            await call.end()  # the client has hung up
    except SessionNotFound:
        await websocket.close(1008)
