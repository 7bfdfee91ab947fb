"""Sessions, changes and words for the tests of a storage; times and ids are fixed."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import pytest
from attrs import evolve

from ....core.audio import Encoding
from ....core.events import ConnectRequested, SessionEvent, TransportReady, UtteranceFinished
from ....core.identity import DEFAULT_TENANT, SessionId, TenantId
from ....core.journal import JournalEntry
from ....core.life import apply
from ....core.metadata import metadata_json
from ....core.session import DailyRemaining, Pause, Session
from ....core.states import PauseReason, SessionState
from ....core.tasks import Task, TaskId
from ....core.templates import SessionTemplate, TemplateId
from ....core.utterance import Speaker, Utterance, UtteranceId, Word
from ....ports.storage import Change, Scope, Storage, Tombstone, TombstoneReader

__all__ = (
    "HOME",
    "START",
    "STRANGERS",
    "OnStorage",
    "a_full_session",
    "a_session",
    "a_task",
    "a_template",
    "a_tombstone",
    "an_utterance",
    "change_of",
    "heard",
    "live",
    "put",
    "tombstones_of",
)

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
HOME: Final = Scope(DEFAULT_TENANT)
STRANGERS: Final = Scope(TenantId("strangers"))


class OnStorage(ABC):
    """A suite in which each test gets a storage of its own, open and empty."""

    @pytest.fixture
    @abstractmethod
    def storage(self) -> Storage: ...


async def tombstones_of(storage: Storage, scope: Scope) -> Sequence[Tombstone]:
    """Read tombstones from a session store that is a `TombstoneReader`."""
    return await cast("TombstoneReader", storage.sessions).tombstones(scope)


def a_session(session_id: str = "s1", **fields: Any) -> Session:
    """A session that was created at START and in which nothing has happened."""
    new = Session(
        id=SessionId(session_id),
        created_at=START,
        updated_at=START,
        state_since=START,
        last_activity_at=START,
    )
    return evolve(new, **fields)


def a_full_session(session_id: str = "s1", **fields: Any) -> Session:
    """A session with something in every field that a writer may set when it creates one."""
    at = START + timedelta(hours=1, microseconds=1)
    full = a_session(
        session_id,
        user_id="ada",
        created_by="the host",
        started_at=at,
        live_at=at + timedelta(seconds=1),
        updated_at=at + timedelta(seconds=2),
        state=SessionState.PAUSED,
        state_since=at + timedelta(seconds=3),
        last_activity_at=at + timedelta(seconds=4),
        active_us=123_456_789,
        pauses=(Pause(PauseReason.USER, at), Pause(PauseReason.DISCONNECTED, START)),
        error="it crackles: \N{MUSICAL SYMBOL G CLEF}",
        deadline_at=at + timedelta(days=1),
        mode="transcription",
        language="de-CH",
        model="accurate",
        encoding=Encoding.MULAW,
        sample_rate=8_000,
        channels=2,
        store_audio=True,
        store_transcript=True,
        enhance_on_end=True,
        retention_days=-1,
        max_active_us=3_600_000_001,
        max_wall_clock_us=7_200_000_001,
        device_type="phone",
        client_version="1.2",
        key_hash="0badcafe",
        recording_consent=False,
        consent_by="ada",
        consent_wording="v3",
        consent_at=at + timedelta(seconds=5),
        secrets_blurred=("card_number", 'it\'s "so"'),
        transcript_partial="Hel",
        transcript_final="Hello",
        audio_uri="file:///audio.wav",
        audio_partial=True,
        transcript_uri="file:///transcript.json",
        enhancement_job_id="job_1",
        legal_hold=True,
        audio_duration_us=1_000_001,
        utterance_count=1,
        word_count=2,
        message_count=3,
        audio_chunks_received=4,
        audio_chunks_processed=5,
        audio_used_us=7_000_003,
        daily_budget_remaining=DailyRemaining(audio_us=1, video_tokens=2),
        session_template_id="tmpl_1",
        room_name=f"room_of_{session_id}",
        modality_profile="voice",
        enabled_panels=("notes", "map"),
        token_expiry=at + timedelta(hours=1),
        client_ip="192.0.2.1",
        metadata_json=metadata_json({"a": [1, 2.5, None, {"b": "ü\\u"}], "c": "1"}),
    )
    return evolve(full, **fields)


def change_of(
    session: Session,
    *events: SessionEvent,
    epoch: int | None = None,
    utterances: Sequence[Utterance] = (),
    tasks: Sequence[Task] = (),
    **fields: Any,
) -> Change:
    """The change from *session* to what it is after *events*, with *fields* set."""
    after, entries = session, list[JournalEntry]()
    for event in events:
        after = apply(after, event)
        entries.append(JournalEntry(after.seq, event))
    return Change(
        session=evolve(after, **fields),
        expected_seq=session.seq,
        epoch=epoch,
        entries=tuple(entries),
        utterances=tuple(utterances),
        tasks=tuple(tasks),
    )


async def put(storage: Storage, *sessions: Session) -> None:
    """Create *sessions*, which have no journal yet, with the template and the task they name."""
    for session in sessions:
        if session.session_template_id is not None:
            await storage.templates.put(
                a_template(session.session_template_id, tenant_id=session.tenant_id)
            )
        job = session.enhancement_job_id
        tasks = () if job is None else (a_task(job, session=session),)
        await storage.sessions.commit(Change(session=session, expected_seq=None, tasks=tasks))


def a_task(task_id: str = "t1", *, session: Session | None = None, **fields: Any) -> Task:
    """A task of *session*, or of the session s1, that nobody has claimed and that is due."""
    session = session or a_session()
    new = Task(
        id=TaskId(task_id),
        session_id=session.id,
        tenant_id=session.tenant_id,
        type="enhancement",
        created_at=START,
        updated_at=START,
        due_at=START,
    )
    return evolve(new, **fields)


def a_template(template_id: str = "tmpl_1", **fields: Any) -> SessionTemplate:
    """A template with nothing but a name."""
    new = SessionTemplate(
        id=TemplateId(template_id), name="Consultation", created_at=START, updated_at=START
    )
    return evolve(new, **fields)


async def live(storage: Storage, session_id: str = "s1", **fields: Any) -> Session:
    """Create a session, bring it to LIVE, and return it as it is stored."""
    session = a_session(session_id, **fields)
    await put(storage, session)
    change = change_of(session, ConnectRequested(at=START), TransportReady(at=START))
    await storage.sessions.commit(change)
    return change.session


def an_utterance(utterance_id: str = "u1", *, start_us: int = 0, text: str = "Hello") -> Utterance:
    """Words of the user, with times."""
    end_us = start_us + 500_000
    word = Word(text=text, start_us=start_us, end_us=end_us, confidence=0.5)
    return Utterance(
        id=UtteranceId(utterance_id),
        speaker=Speaker.USER,
        start_us=start_us,
        end_us=end_us,
        text=text,
        confidence=0.25,
        words=(word,),
    )


def heard(utterance: Utterance) -> UtteranceFinished:
    """The event that *utterance* is final."""
    return UtteranceFinished(
        at=START,
        utterance_id=utterance.id,
        start_us=utterance.start_us,
        end_us=utterance.end_us,
        word_count=len(utterance.words),
    )


def a_tombstone(session_id: str = "s1", *, scope: Scope = HOME) -> Tombstone:
    """What is left of that session."""
    return Tombstone(
        tenant_id=scope.tenant_id or DEFAULT_TENANT,
        session_hash=hashlib.sha256(session_id.encode()).hexdigest(),
        deleted_at=START + timedelta(days=1, microseconds=1),
        deleted_by="the host",
        reason="request",
    )
