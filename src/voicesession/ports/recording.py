"""What the runtime needs of recording: a place where both voices are kept as they come."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol, Self

from attrs import frozen

from ..core.audio import AudioFormat
from ..core.errors import RecordingFailed
from ..core.timeline import Span, Track

__all__ = (
    "Backlog",
    "Gap",
    "LeftRecording",
    "Leftover",
    "LeftoverKind",
    "ProblemKind",
    "Recorded",
    "RecordedElsewhere",
    "Recorder",
    "Recording",
    "RecordingProblem",
    "RecoveryReport",
)


class RecordedElsewhere(RecordingFailed):
    """Another process of this machine still records the session.

    It lets go once it knows that the session is not its own any more.
    """

    retryable = True


class ProblemKind(StrEnum):
    """Why audio could not be kept. The values go on the wire; never rename one."""

    DISK_FULL = "disk_full"
    """The medium, a quota or a file size limit is used up."""
    WRITE_FAILED = "write_failed"
    """The medium refused or broke."""
    TOO_SLOW = "too_slow"
    """The medium did not keep up, and the bound of what may wait was reached."""
    NOT_SHIPPED = "not_shipped"
    """The object store did not take it yet: it waits on this disk, and is tried again."""
    SPOOL_FULL = "spool_full"
    """What waits for the object store has reached its limit: newer audio is dropped."""


@frozen
class Gap:
    """Audio of one track that was given, or was due, and is not in the recording."""

    track: Track
    span: Span


@frozen(kw_only=True)
class RecordingProblem:
    """A recording that goes on, but not whole.

    Attributes:
        span: From the first to the last media time that the problem has cost so far.
        dropped_bytes: How much of what was given it has cost so far.
        detail: What the medium said, in one line.
    """

    kind: ProblemKind
    span: Span
    dropped_bytes: int
    detail: str


@frozen(kw_only=True)
class Recorded:
    """A finished recording.

    Attributes:
        uri: Where the file is.
        further_uris: Where it goes on, for what one WAV cannot hold (4 GiB).
        duration_us: How long the file plays: media time without the cuts.
        size_bytes: Of the file, with its header, or of all of them.
        tracks: Whose voices the file holds, in the order of its channels.
        partial: The recording was not closed by the one who made it.
        gaps: What is known to be missing, in order of time; it is silence in the file.
        cuts: Media time that is left out of the file, in order.
        problems: What went wrong on the way; empty for a whole recording.
    """

    session_id: str
    uri: str
    further_uris: tuple[str, ...] = ()
    duration_us: int
    size_bytes: int
    tracks: tuple[Track, ...]
    partial: bool = False
    gaps: tuple[Gap, ...] = ()
    cuts: tuple[Span, ...] = ()
    problems: tuple[RecordingProblem, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether the file holds all that was given: what was late to be shipped is in it."""
        has_cost = any(one.kind is not ProblemKind.NOT_SHIPPED for one in self.problems)
        return not (self.partial or self.gaps or has_cost)


@frozen(kw_only=True)
class RecoveryReport:
    """What became of one recording that nobody owned.

    Attributes:
        recorded: The file made of it; None where there was nothing to make, or it failed.
        problem: Why there is none, in one line. Where a file could not be made, what there
            is was left in place.
    """

    session_id: str
    recorded: Recorded | None
    problem: str | None = None


@frozen(kw_only=True)
class LeftRecording:
    """A recording that is not finished, and that nobody on this machine owns.

    Attributes:
        duration_us: How much media time there is; 0 where nothing was kept, or it cannot be
            read.
        tenant_id: In whose folder it lies; None where tenants share one.
        is_on_this_disk: Its spool is here, and may hold more than was ever shipped.
        shipped_at: When the last segment of it came into the object store, by the store's
            clock; None where there is none. Its owner may live on another machine: who
            holds the session's lease knows.
    """

    session_id: str
    tenant_id: str | None = None
    duration_us: int
    is_on_this_disk: bool
    shipped_at: datetime | None = None


class LeftoverKind(StrEnum):
    """What nobody can finish. The values are printed; never rename one."""

    UPLOAD = "upload"
    """Half an object."""
    SEGMENTS = "segments"
    """Of which no recording can be made: their notes are gone, or never came."""


@frozen(kw_only=True)
class Leftover:
    """What a crash has left in the object store, and takes room there.

    Attributes:
        key: Of the object that an upload was to become; of segments, the session's folder.
        since: When it was begun, or last added to, by the store's clock.
    """

    kind: LeftoverKind
    key: str
    since: datetime


@frozen(kw_only=True)
class Backlog:
    """What would be lost with this machine, over all recordings that are open here.

    Attributes:
        unshipped_bytes: Not yet in the object store.
        lag_us: Media time, from the oldest of it to the newest, of the recording that lags
            most. In good times it is below a checkpoint.
    """

    unshipped_bytes: int = 0
    lag_us: int = 0


class Recording(Protocol):
    """One session's audio, while it is made.

    All times are microseconds of media time. The plain calls come from one thread, in the
    order in which they are meant to hold, and never block.
    """

    @property
    def kept_until_us(self) -> int:
        """Where the caller's audio ended when this recording was opened.

        0, or more where it continues what was left behind. Media time must go on from
        here at least: what is written before it replaces what was kept.
        """
        ...

    @property
    def problems(self) -> Sequence[RecordingProblem]:
        """What went wrong so far, one for each kind; empty while all is well."""
        ...

    def write(self, track: Track, at_us: int, pcm: bytes, /) -> None:
        """Keep *pcm*, whose first sample lies at *at_us*.

        USER audio is in the session's own format, AGENT audio is s16le, mono, at the
        session's rate; whole sample frames. Audio may come late or twice: it lands at its
        place, and the last one given for a place holds. What lies in a cut or under a
        mask is not kept. Within a second it is safe from the end of this process.

        A medium that fails does not fail the call: what cannot be kept becomes a gap.

        Raises:
            InvalidValue: *pcm* has a broken sample frame, or *at_us* is negative.
            RecordingFailed: The recording is closed.
        """
        ...

    def pause(self, at_us: int, /) -> None:
        """Begin a cut: nothing from *at_us* on is kept until ``resume``.

        Audio that was kept beyond *at_us* already is wiped. In a pause it does nothing.
        """
        ...

    def resume(self, at_us: int, /) -> None:
        """End the cut at *at_us*. Outside a pause it does nothing.

        Raises:
            InvalidValue: *at_us* lies before the start of the cut.
        """
        ...

    def mask(self, from_us: int, to_us: int, /) -> None:
        """Make both tracks silent from *from_us* to *to_us*; the time stays in the file.

        What was kept there is wiped; what comes for it later is not kept.

        Raises:
            InvalidValue: The stretch is empty, or begins before the recording does.
        """
        ...

    async def close(self, duration_us: int, /) -> Recorded:
        """Return the finished recording: one file of *duration_us* less its cuts.

        A 16-bit PCM WAV at the caller's rate: the caller on the left and the agent on the
        right, or the caller alone where the agent never spoke. When this returns, the file
        is durable and nothing else is left. A cancelled close has either finished or can
        be made good by ``Recorder.recover``.

        Raises:
            RecordingFailed: The file could not be made; what was kept stays, for
                ``Recorder.recover``. Or the recording is closed already.
        """
        ...

    def release(self) -> None:
        """Let go without finishing: the session goes on elsewhere, or later.

        What was given is written out soon after. What is kept waits for ``Recorder.open``
        of the same session to continue it, or for ``Recorder.recover``. Twice is harmless.
        """
        ...

    async def discard(self) -> None:
        """Stop, and leave nothing: no file, nothing half-made. Twice is harmless.

        Raises:
            RecordingFailed: Something could not be removed.
        """
        ...


class Recorder(Protocol):
    """Makes recordings. Shared by many sessions, long-lived.

    It asks nobody for consent: who opens a recording has it, and discards the recording
    when it is withdrawn.
    """

    def for_tenant(self, tenant_id: str, /) -> Self:
        """Return this recorder as it records sessions of one tenant, into a folder of its own.

        All the rest is one and the same: what is open, what is shipped, and when it is
        closed. Of the tenant's sessions it recovers and purges also what was recorded
        before, or without, this.

        Raises:
            InvalidValue: *tenant_id* cannot name a folder.
        """
        ...

    def open(self, session_id: str, audio_format: AudioFormat, /) -> Recording:
        """Return a recording to write to, owned and closed by the caller.

        What was released, or left behind by a process that is gone, is continued. A
        recording of this session that this recorder has open is taken over: whoever has
        it finds it closed.

        Args:
            audio_format: How the caller's audio will be written.

        Raises:
            InvalidValue: *session_id* cannot name a recording.
            RecordingFailed: The place cannot be written, or somebody else is recording
                this session.
        """
        ...

    @property
    def backlog(self) -> Backlog:
        """What the object store does not have yet; nothing, where there is no need to ship."""
        ...

    async def run(self) -> None:
        """Ship what is new to the object store, at each checkpoint, until it is cancelled.

        The host keeps it running as long as it records. Without it everything stays on this
        disk until a recording is closed. Where there is no need to ship it only waits.
        """
        ...

    async def find_left(self) -> Sequence[LeftRecording]:
        """Return what ``recover`` would find, in order of the ids; changes nothing.

        Raises:
            RecordingFailed: The place cannot be read, or the object store not be listed.
        """
        ...

    async def recover(self, *, spare: Collection[str] = ()) -> Sequence[RecoveryReport]:
        """Finish every recording that nobody owns any more; return what became of each.

        Recordings of live owners on this machine are left alone, also of other processes.
        It may run at any time, twice, and from many workers at once: each recording is
        finished once, and is ``partial`` unless its owner had closed it. What `sweep`
        removes goes as well.

        Args:
            spare: Ids of sessions to leave alone, because they may come back, or are being
                recorded by a machine that this one cannot see.

        Raises:
            RecordingFailed: The object store cannot be listed. What lies on this disk is
                finished where that is possible, and reported the next time.
        """
        ...

    async def recover_only(self, session_ids: Collection[str], /) -> Sequence[RecoveryReport]:
        """Do as ``recover``, but only for these of what ``find_left`` found.

        Between the two there is time to ask who still lives: a session that begins
        meanwhile is not harmed.
        """
        ...

    async def find_leftovers(self) -> Sequence[Leftover]:
        """Return what ``sweep`` would remove; changes nothing.

        Raises:
            RecordingFailed: Something could not be listed.
        """
        ...

    async def sweep(self) -> Sequence[Leftover]:
        """Remove from the object store what crashes have left and nobody can finish.

        These are unfinished uploads, and segments of which no recording can be made; each
        once it is a day old, and only where sessions are kept. Returns what is gone.

        Raises:
            RecordingFailed: Something could not be listed or removed.
        """
        ...

    async def purge(self, session_id: str, /) -> None:
        """Leave no audio of this session: spool, segments, files, half-made uploads.

        A recording that this recorder has open is discarded. Twice is harmless.

        Raises:
            InvalidValue: *session_id* cannot name a recording.
            RecordingFailed: Something could not be removed, or somebody else is recording.
        """
        ...

    async def aclose(self) -> None:
        """Write out what is waiting and let go of everything. Twice is harmless.

        A recording that is still open is released.
        """
        ...
