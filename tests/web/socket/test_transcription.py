"""Words in, words out: sessions without an agent."""

from typing import Any

STREAM = "/v1/audio/transcriptions/stream"


async def test_words_are_told_as_they_come_and_once_they_are_final(house: Any) -> None:
    async with house.connect(f"{STREAM}?store_transcript=true") as talker:
        begin = await talker.next("session.begin")
        await talker.speak("good morning")
        final = await talker.next("transcript.final")
        await talker.send("end")
        end = await talker.next("session.end")
        assert await talker.closed() == 1000
    assert final["utterance"]["text"] == "good morning"
    assert final["utterance"]["speaker"] == "user"
    assert [word["text"] for word in final["utterance"]["words"]] == ["good", "morning"]
    assert talker.all("transcript.partial")[-1]["text"] == "good morning"
    assert end["status"] == "completed"
    assert end["totals"]["utterance_count"] == 1
    session = await house.voice.get(begin["session_id"])
    assert session.state == "ENDED"
    assert session.mode == "transcription"
    assert session.store_transcript
