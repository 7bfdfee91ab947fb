"""
What is owed to a session when it ends: its audio in one file, then its words in another.

Each step may fail, or take too long; that is noted and the next step still runs.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import anyio
from attrs import field, frozen

from ..core.errors import DeadlineExceeded, VoiceSessionError
from ..core.results import session_folders
from ..core.session import Session
from ..core.transcript import SessionTranscript, Transcript, transcript_document
from ..ports.recording import Recorded
from ..ports.storage import Scope, TranscriptStore
from .services import Services
from .tape import Tape

__all__ = ("FILES_TAKE_AT_MOST", "Ending", "delete_results", "recording_changes")

# An hour of audio is put together in minutes; both places have shorter limits of their own.
_RECORDING_TAKES_AT_MOST_S: Final = 600.0
_TRANSCRIPT_TAKES_AT_MOST_S: Final = 60.0
FILES_TAKE_AT_MOST: Final = timedelta(
    seconds=_RECORDING_TAKES_AT_MOST_S + _TRANSCRIPT_TAKES_AT_MOST_S
)
"""So long nobody else need look after a session that is being finished."""


async def delete_results(services: Services, session: Session) -> None:
    """Remove every file of *session* and whatever was half-made of its recording.

    Afterwards a listing of its folder is empty.

    Raises:
        RecordingFailed: Some of its audio could not be removed.
        StoreError: Another file could not be removed.
    """
    if services.recorder is not None:
        await services.recorder.for_tenant(session.tenant_id).purge(session.id)
    if services.objects is not None:
        for folder in session_folders(session.id, session.tenant_id):
            while found := await services.objects.find(str(folder)):
                for thing in found:
                    await services.objects.delete(thing.key)


@frozen(kw_only=True)
class Ending:
    """The results of a session, made and not yet linked to it.

    Attributes:
        changes: Fields of the session that say where the results are.
        error: What failed on the way, for people; None where nothing did.
    """

    changes: dict[str, Any]
    error: str | None
    _session: Session = field(alias="session")
    _transcripts: TranscriptStore = field(alias="transcripts")

    @classmethod
    async def of(cls, services: Services, session: Session, tape: Tape | None) -> Ending:
        """Finish what is recorded on *tape*, if there is one, and write the transcript."""
        changes: dict[str, Any] = {}
        errors: list[str] = []
        duration_us = session.audio_duration_us if tape is None else tape.now_us
        if tape is not None:
            try:
                with _in_time("the recording", _RECORDING_TAKES_AT_MOST_S):
                    if session.keeps_audio and session.live_at is not None:
                        # Who took it over and never brought it to LIVE finishes what others
                        # have recorded.
                        tape.record()
                    recorded = await tape.finish()
            except VoiceSessionError as error:
                errors.append(f"{error.code}: {error}")
                changes["audio_partial"] = True
            else:
                changes |= recording_changes(recorded)
        transcripts = services.storage.transcripts
        if session.store_transcript:
            try:
                with _in_time("the transcript", _TRANSCRIPT_TAKES_AT_MOST_S):
                    changes |= await _write_transcript(services, session, duration_us)
            except VoiceSessionError as error:
                errors.append(f"{error.code}: {error}")
        return cls(
            changes=changes,
            error="; ".join(errors) or None,
            session=session,
            transcripts=transcripts,
        )

    async def forget_words(self) -> None:
        """Where words are not to be kept, they were only there for reconnects: delete them."""
        if not self._session.store_transcript:
            await self._transcripts.delete_utterances(
                self._session.id, Scope(self._session.tenant_id)
            )


def recording_changes(recorded: Recorded | None) -> dict[str, Any]:
    """Return the fields of a session that say where *recorded* is; none if there is nothing."""
    if recorded is None:
        return {}
    return {"audio_uri": recorded.uri, "audio_partial": not recorded.is_whole}


@contextmanager
def _in_time(what: str, limit_s: float) -> Generator[None]:
    """Break the block off after *limit_s*: the end of a session waits for no upload for ever."""
    with anyio.move_on_after(limit_s) as scope:
        yield
    if scope.cancelled_caught:
        raise DeadlineExceeded(f"{what} took longer than {limit_s:g} s")


async def _write_transcript(
    services: Services, session: Session, duration_us: int
) -> dict[str, Any]:
    scope, store = Scope(session.tenant_id), services.storage.transcripts
    utterances = await store.utterances(session.id, scope)
    transcript = Transcript(utterances=utterances)
    changes: dict[str, Any] = {"transcript_final": transcript.text}
    if services.objects is not None:
        document = transcript_document(
            SessionTranscript(
                session_id=session.id,
                language=session.language,
                duration_us=duration_us,
                transcript=transcript,
            )
        )
        body = json.dumps(document, ensure_ascii=False, indent=1).encode()
        key = f"{services.folder_of(session)}transcript.json"
        changes["transcript_uri"] = await services.objects.put(key, body)
    return changes
