"""What was said in the sessions of one tenant: as words, as a document, and as captions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from ..core.captions import to_srt, to_txt, to_vtt
from ..core.errors import InvalidValue, SessionNotFound
from ..core.identity import SessionId
from ..core.merge import Leg, MergedTranscript, merge
from ..core.session import Session
from ..core.transcript import SessionTranscript, Transcript, transcript_document
from ..ports.scope import Scope
from .home import at_home
from .redacting import RedactionHook
from .services import Services
from .worker import Worker

__all__ = ("Transcripts",)

_MOST_LINKED: Final = 100

_AS_TEXT: Final[Mapping[str, Callable[[Transcript], str]]] = MappingProxyType(
    {"txt": to_txt, "srt": to_srt, "vtt": to_vtt}
)


@at_home
class Transcripts:
    """`SessionManager.transcripts`.

    Every method raises SessionNotFound where the tenant has no session of the id.
    """

    def __init__(self, services: Services, worker: Worker, scope: Scope) -> None:
        self._worker = worker
        self._home = worker.home
        self._sessions = services.storage.sessions
        self._utterances = services.storage.transcripts
        self._scope = scope

    def redact_with(self, hook: RedactionHook) -> None:
        """Let *hook* have every utterance before it is stored or told, on this worker.

        It comes after what ``secrets_blurred`` names, and is for all tenants. Texts that are
        not final yet go through it as well, as utterances without words and times. What it
        raises on is blurred whole.
        """
        self._worker.redaction_hook = hook

    async def so_far(self, session_id: str) -> Transcript:
        """Return the words of a session, as far as they are final."""
        utterances = await self._utterances.utterances(SessionId(session_id), self._scope)
        return Transcript(utterances=utterances)

    async def document(self, session_id: str, *, linked: bool = False) -> dict[str, Any]:
        """Return the transcript as the JSON object that ``transcript.json`` holds.

        Args:
            linked: With the words of the sessions that this one continues, in front.
        """
        return transcript_document(await self._record(session_id, linked=linked))

    async def text(self, session_id: str, form: str, *, linked: bool = False) -> str:
        """Return the transcript as ``txt``, or as captions: ``srt`` or ``vtt``.

        Raises:
            InvalidValue: There is no such form.
        """
        if form not in _AS_TEXT:
            raise InvalidValue("form", form, ", ".join(_AS_TEXT))
        record = await self._record(session_id, linked=linked)
        return _AS_TEXT[form](record.transcript)

    async def linked(self, session_id: str) -> MergedTranscript:
        """Return one transcript of a session and of all that it continues, in their order."""
        legs: list[Leg] = []
        wanted: SessionId | None = SessionId(session_id)
        while wanted is not None and len(legs) < _MOST_LINKED:
            try:
                session = await self._sessions.load(wanted, self._scope)
                legs.append(await self._leg(session))
            except SessionNotFound:
                if not legs:
                    raise
                break  # it was deleted meanwhile: the chain begins behind it
            wanted = session.previous_session_id
        return merge(legs)

    async def _record(self, session_id: str, *, linked: bool) -> SessionTranscript:
        if linked:
            return (await self.linked(session_id)).record
        return await self._of(await self._sessions.load(SessionId(session_id), self._scope))

    async def _leg(self, session: Session) -> Leg:
        return Leg(
            record=await self._of(session),
            previous_session_id=session.previous_session_id,
            started_at=session.started_at or session.created_at,
            ended_at=session.ended_at or session.updated_at,
        )

    async def _of(self, session: Session) -> SessionTranscript:
        return SessionTranscript(
            session_id=session.id,
            language=session.language,
            duration_us=session.audio_duration_us,
            transcript=await self.so_far(session.id),
        )
