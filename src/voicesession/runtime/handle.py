"""
A session in the hands of its host: for those with their own pipeline, and for ours.

`SessionHandle` takes audio and words as they come, and makes of them what is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ..core.audio import AudioFormat
from ..core.errors import SessionNotActive
from ..core.events import (
    BudgetRaised,
    ConsentChanged,
    DetailsChanged,
    PauseRequested,
    ReplyFinished,
    ResumeRequested,
    SessionEvent,
    TransportLost,
    TransportReady,
    UtteranceFinished,
    WarningRaised,
    WorkerReady,
)
from ..core.instants import duration_us
from ..core.life import is_legal
from ..core.masking import masked
from ..core.meters import Meter, Number, audio_us, quantity
from ..core.price import SessionCost
from ..core.redaction import Redaction
from ..core.session import Session
from ..core.states import EndReason, SessionState
from ..core.tasks import Task
from ..core.text import storable_text
from ..core.timeline import Span, Track
from ..core.utterance import Speaker, Utterance, storable_utterance
from ..ports.prices import HOST, EngineModel
from ..ports.recording import RecordedElsewhere
from .budgets import currency_of
from .happenings import Listener, LiveAlready, UtteranceStored
from .jobs import new_task
from .ownership import Ownership
from .redacting import RedactionHook, Redactor
from .services import Services

__all__ = ("SessionHandle",)

_LOOK_AGAIN_US: Final = 100_000


class SessionHandle:
    """The owner's hand on one session, from `SessionManager.attach`.

    Every method may be called from many tasks of the session's event loop, and raises
    WrongThread in another thread. Those that write raise LeaseLost once another worker owns
    the session, and StoreError where the store does not take the write.
    """

    def __init__(
        self,
        services: Services,
        ownership: Ownership,
        *,
        redaction_hook: RedactionHook | None = None,
    ) -> None:
        self._services = services
        self._clock = services.clock
        self._redactor = Redactor(Redaction(ownership.session.secrets_blurred), redaction_hook)
        self._has_begun = False
        self.audio_format: AudioFormat = ownership.session.audio_format
        """How the caller's audio is written."""
        self.ownership = ownership
        """For the runtime: the lease, the record and the tape behind this handle."""

    @property
    def session(self) -> Session:
        """The session as this worker stored or loaded it last."""
        return self.ownership.session

    @property
    def media_us(self) -> int:
        """Where the session stands on its axis of time, in microseconds."""
        return self.ownership.tape.now_us

    @property
    def is_live(self) -> bool:
        """Whether audio is accepted now."""
        return self.ownership.is_live

    @property
    def is_over(self) -> bool:
        """Whether it has ended or is somebody else's."""
        return self.ownership.is_over

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* with whatever happens; the function that comes back stops that."""
        return self._owned.listeners.add(listener)

    def tell(self, happening: object) -> None:
        """Let the session's listeners know."""
        self._owned.listeners.tell(happening)

    async def live(self) -> Session:
        """Say that audio can flow: for the first time, or again.

        One that a webhook has made LIVE begins its budget and its recording. Twice is harmless.

        Raises:
            InvalidState: It is paused for another reason, or over.
            RecordingFailed: There is no place for audio that is to be kept; it stays as it was.
            BudgetExhausted: Nothing is left to spend; it stays as it was.
            QuotaExceeded: Too many sessions of one account run at once; it stays as it was.
        """
        owned = self._owned
        if self.is_live and self._has_begun:
            return self.session
        await owned.spending.open()
        await _record_once_free(owned, self._services)
        self._has_begun = True
        if self.is_live:
            self.tell(LiveAlready())
            return self.session
        return await owned.apply(*_opened(self.session, self._clock.now()))

    async def pause(self) -> Session:
        """Stand still at the user's wish. Time on the axis of the session stops."""
        return await self._owned.apply(PauseRequested(at=self._clock.now()))

    async def resume(self) -> Session:
        """Go on at the user's wish; other reasons to stand still remain."""
        return await self._owned.apply(ResumeRequested(at=self._clock.now()))

    async def disconnected(self) -> Session:
        """Say that the client is gone; the reconnect grace begins."""
        return await self._owned.apply(TransportLost(at=self._clock.now()))

    async def set_consent(
        self, given: bool | None, *, by: str | None = None, wording: str | None = None
    ) -> Session:
        """Keep the answer to "may we record you?"; a refusal purges what was recorded."""
        event = ConsentChanged(at=self._clock.now(), given=given, by=by, wording=wording)
        session = await self._owned.apply(event)
        if self.is_live:
            _record(self._owned)
        return session

    async def warn(self, code: str) -> Session:
        """Write a warning into the journal. *code* is stable and holds no user data."""
        return await self._owned.apply(WarningRaised(at=self._clock.now(), code=code))

    async def end(
        self, reason: EndReason = EndReason.COMPLETED, *, error: str | None = None
    ) -> Session:
        """End the session: its last words, audio, transcript, then one commit.

        A step that fails is recorded in ``error``, and the next still runs. Twice is harmless.
        """
        return await self._owned.end(reason, error=error)

    # --- audio and words -----------------------------------------------------------------

    def audio(self, track: Track, pcm: bytes) -> bool:
        """Take audio of one voice; return whether it was accepted. Never blocks.

        It is not while the session is not LIVE, nor where the budget has no room for it.
        USER audio moves the session's time on. AGENT audio (s16le, mono, at the session's
        rate) is given when it is played, and lies where the session stands now.

        Args:
            pcm: Whole sample frames.

        Raises:
            SessionNotActive: The session is over.
        """
        ownership = self._owned
        if ownership.is_over:
            raise SessionNotActive(f"session {self.session.id} is over: {self.session.status}")
        if track is Track.USER:
            ownership.running.audio_chunks_received += 1
        if not ownership.is_live:
            return False
        if track is Track.AGENT:
            ownership.tape.agent(pcm)
        elif not ownership.spending.spend(ownership.tape.moves_us(pcm)):
            return False
        else:
            ownership.tape.user(pcm)
        return True

    def has_room(self, audio_us: int) -> bool:
        """Whether the budget has room for so much audio at once, without `afford`."""
        return self.ownership.spending.has(audio_us)

    async def afford(self, pcm: bytes) -> bool:
        """Wait until the budget has room for *pcm*; return False if it has none.

        It has none at once while the session is not LIVE. For audio that comes faster than it
        was spoken, such as from a file: `audio` does not wait, and the ledger is asked in good
        time only for what comes as it is spoken.
        """
        wanted_us = self._owned.tape.moves_us(pcm)
        return self.is_live and await self._owned.spending.afford(wanted_us)

    async def mask(self, from_us: int, to_us: int) -> None:
        """Take a stretch of media time out of the recording and out of the transcript.

        Both voices are silent in it and its words are blurred, also what is stored already;
        the time stays. It may end in the future: what is said until then is masked as well.

        Raises:
            InvalidValue: The stretch is empty, or begins before the session does.
        """
        mask = Span(from_us, to_us)
        self._owned.tape.mask(from_us, to_us)
        self._redactor.mask(mask)
        event = DetailsChanged(at=self._clock.now(), fields=("transcript",))
        changed = await _touched_by(mask, self._services, self.ownership)
        await self._owned.apply(event, utterances=changed)

    async def charge(
        self,
        *,
        audio_minutes: Number = 0,
        counts: Mapping[str, int] | None = None,
        engine: EngineModel = HOST,
    ) -> None:
        """Book what was used besides the audio given to `audio`; at a limit the session pauses.

        Args:
            audio_minutes: An exact number, rounded to whole microseconds.
            counts: Whole units of other meters: ``{"llm_output_tokens": 120}``.
            engine: Whose price it has, where there are prices.

        Raises:
            InvalidValue: A number is negative, a count has a fraction, or there is no such
                meter.
        """
        await self._owned.spending.charge(_used(audio_minutes, counts or {}), engine)

    async def cost(self) -> SessionCost:
        """Return what the session has used and what that costs, exact and to this moment.

        Raises:
            InvalidConfig: This worker has no prices.
        """
        return await self._owned.spending.cost(currency_of(self._services.prices))

    async def add_task(self, kind: str, payload: Mapping[str, Any] | None = None) -> Task:
        """Commit a task for this session; see `voicesession.runtime.jobs`.

        Raises:
            InvalidValue: The payload is no JSON object of at most 16 KiB.
        """
        task = new_task(self._services, self.session, kind, payload)
        event = DetailsChanged(at=self._clock.now(), fields=("tasks",))
        await self._owned.apply(event, tasks=(task,))
        return task

    def pause_recording(self) -> None:
        """Keep no audio from here on; the session goes on, and the file leaves this out."""
        self._owned.tape.pause_recording()

    def resume_recording(self) -> None:
        """Keep the audio that comes from here on."""
        self._owned.tape.resume_recording()

    def partial(self, text: str) -> None:
        """Keep what the recogniser thinks so far; it is stored with the running stats.

        Raises:
            InvalidValue: It holds characters that no store can keep.
        """
        self._owned.running.transcript_partial = self.redacted(storable_text(text))

    def redacted(self, text: str) -> str:
        """Return *text* as it may be stored and told: without what the session wants blurred."""
        return self._redactor.text(text)

    async def final(self, utterance: Utterance) -> Utterance:
        """Make an utterance durable, and only then tell the listeners.

        Returns it as it was stored: without the secrets that the session wants blurred.

        Raises:
            InvalidState: The session takes no more words.
            InvalidValue: It holds characters that no store can keep.
        """
        utterance = storable_utterance(self._redactor.utterance(storable_utterance(utterance)))
        if utterance.speaker is Speaker.USER:
            self._owned.running.transcript_partial = None
        await self._owned.apply(_finished(utterance, self._clock.now()), utterances=(utterance,))
        self.tell(UtteranceStored(utterance))
        return utterance

    @property
    def _owned(self) -> Ownership:
        """What this handle holds, for callers in the session's thread."""
        self.ownership.check_thread()
        return self.ownership


def _record(ownership: Ownership) -> None:
    if ownership.session.keeps_audio:
        ownership.tape.record()


async def _touched_by(mask: Span, services: Services, ownership: Ownership) -> Sequence[Utterance]:
    """Return the utterances that are stored already and have words in *mask*, without these."""
    stored = await services.storage.transcripts.utterances(ownership.session.id, ownership.scope)
    return [after for said in stored if (after := masked(said, [mask])) != said]


def _used(audio_minutes: Number, counts: Mapping[str, int]) -> Counter[Meter]:
    used = Counter({Meter(meter): quantity(Meter(meter), n) for meter, n in counts.items()})
    used[Meter.AUDIO_US] += audio_us(audio_minutes)
    return used


async def _record_once_free(ownership: Ownership, services: Services) -> None:
    """Record, as soon as whoever recorded on this machine before us has let go.

    They find out within a lease that the session is ours now.
    """
    clock = services.clock
    until_us = clock.monotonic_us() + duration_us(services.lease)
    while True:
        try:
            return _record(ownership)
        except RecordedElsewhere:
            now_us = clock.monotonic_us()
            if now_us >= until_us:
                raise
            await clock.sleep_until(now_us + _LOOK_AGAIN_US)


def _opened(session: Session, at: datetime) -> tuple[SessionEvent, ...]:
    """Return what lifts every reason to stand still that is ours to lift."""
    ready = TransportReady(at=at)
    if session.state is not SessionState.PAUSED:
        return (ready,)
    lifting = (WorkerReady(at=at), ready, BudgetRaised(at=at))
    return tuple(event for event in lifting if is_legal(session, event)) or (ready,)


def _finished(utterance: Utterance, at: datetime) -> SessionEvent:
    if utterance.speaker is Speaker.USER:
        return UtteranceFinished(
            at=at,
            utterance_id=utterance.id,
            start_us=utterance.start_us,
            end_us=utterance.end_us,
            word_count=len(utterance.words) or len(utterance.text.split()),
        )
    return ReplyFinished(
        at=at,
        utterance_id=utterance.id,
        start_us=utterance.start_us,
        heard_us=utterance.end_us - utterance.start_us,
        interrupted=utterance.interrupted,
    )
