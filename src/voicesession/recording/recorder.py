"""
The recorder: both voices go into spools on this disk, and at the end into one file.

Where that file goes to another machine, what is new goes there too, at each checkpoint:
see ``shipping``.

``write`` only appends to a queue; one thread writes for all recordings. What may wait is
bounded. Where the bound is reached because audio comes faster than time, as from a file,
``write`` waits for the writer; where the disk hangs, the newest audio is dropped and
becomes a gap. A disk that refuses costs a gap too, and is asked again with the next audio.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from threading import Event, Lock
from typing import Final, Self

from anyio import CancelScope, sleep_forever, to_thread

from ..core.audio import AudioFormat
from ..core.errors import InvalidValue, RecordingFailed, StoreError
from ..core.identity import checked_id
from ..core.results import SessionFolder, session_folders
from ..core.timeline import Span, Track
from ..ports.objects import ObjectStore
from ..ports.recording import (
    Backlog,
    Leftover,
    LeftRecording,
    Recorded,
    RecordingProblem,
    RecoveryReport,
)
from .composition import compose
from .feed import Feed
from .file import FileObjectStore
from .keeper import Keeper
from .purging import purge
from .recovery import Recovery
from .segments import SegmentFolder
from .shipping import Shipper, Shipping
from .spool import open_spool
from .writer import Writer

__all__ = ("SpoolRecorder", "SpoolRecording")

_USER: Final = Track.USER  # asked for with every chunk, and of the enumeration it costs a call


class SpoolRecorder:
    """Records into spools under a folder, and finishes into an object store.

    One for a process: it has one thread, which it starts with its first recording. Each
    recording keeps up to three files open.
    """

    def __init__(
        self, spools: Path, objects: ObjectStore, *, shipping: Shipping | None = None
    ) -> None:
        """Prepare to record; touches nothing yet.

        Args:
            spools: A folder on a local disk, for this machine's spools.
            objects: Where finished files go. The caller closes it, if it needs that.
            shipping: How what is being recorded goes there, too; None where the files stay
                on this machine, and would be lost with it anyway.
        """
        self._spools = spools
        self._objects = objects
        self._writer = Writer()
        self._shipper = None if shipping is None else Shipper(objects, shipping)
        clock = None if shipping is None else shipping.clock
        self._recovery = Recovery(spools, objects, clock=clock)
        self._lock = Lock()
        self._feeds: dict[str, Feed] = {}
        self._closed = Event()
        self._tenant_id: str | None = None

    @classmethod
    def at(cls, root: Path) -> SpoolRecorder:
        """Return a recorder that keeps everything under *root*.

        Finished files are ``{root}/sessions/{session_id}/audio.wav``; what is being
        recorded lies in ``{root}/.spool``.
        """
        return cls(root / ".spool", FileObjectStore(root))

    def for_tenant(self, tenant_id: str, /) -> Self:
        """See ``Recorder.for_tenant``."""
        tenants = copy(self)
        tenants._tenant_id = checked_id("tenant_id", tenant_id)  # noqa: SLF001  # it is one of us
        return tenants

    def open(self, session_id: str, audio_format: AudioFormat, /) -> SpoolRecording:
        """See ``Recorder.open``."""
        place = SessionFolder(session_id, self._tenant_id)
        with self._lock:
            if self._closed.is_set():
                raise RecordingFailed("the recorder is closed")
            feed = self._feeds.get(session_id)
            if feed is None:
                feed = self._feeds[session_id] = self._opened(place, audio_format)
                self._writer.add(feed)
            elif feed.is_finishing:
                raise RecordingFailed("the recording of this session is being finished")
            elif feed.audio_format != audio_format:
                raise RecordingFailed(f"this session is being recorded as {feed.audio_format}")
            if self._shipper is not None:
                self._shipper.add(feed)
            return SpoolRecording(self, session_id, feed)

    @property
    def backlog(self) -> Backlog:
        """See ``Recorder.backlog``."""
        return Backlog() if self._shipper is None else self._shipper.backlog

    async def run(self) -> None:
        """See ``Recorder.run``."""
        await (sleep_forever() if self._shipper is None else self._shipper.run())

    async def find_left(self) -> Sequence[LeftRecording]:
        """See ``Recorder.find_left``."""
        with _failing("what was left cannot be found"):
            return await self._recovery.find()

    async def recover(self, *, spare: Collection[str] = ()) -> Sequence[RecoveryReport]:
        """See ``Recorder.recover``."""
        with _failing("what was left cannot be found"):
            reports = await self._recovery.finish(spare=spare)
            await self._recovery.sweep()
            return reports

    async def recover_only(self, session_ids: Collection[str], /) -> Sequence[RecoveryReport]:
        """See ``Recorder.recover_only``."""
        with _failing("what was left cannot be found"):
            places = [place for one in session_ids for place in self._places(one)]
            return await self._recovery.finish(places)

    async def find_leftovers(self) -> Sequence[Leftover]:
        """See ``Recorder.find_leftovers``."""
        with _failing("what was left cannot be found"):
            return await self._recovery.find_leftovers()

    async def sweep(self) -> Sequence[Leftover]:
        """See ``Recorder.sweep``."""
        with _failing("what was left cannot be removed"):
            return await self._recovery.sweep()

    async def purge(self, session_id: str, /) -> None:
        """See ``Recorder.purge``."""
        places = self._places(session_id)
        with _failing("something of the recording is left"):
            feed = self._feeds.get(session_id)
            if feed is not None:
                await self.discard(feed)
            for place in places:
                await purge(self._spools, self._objects, place)

    async def aclose(self) -> None:
        """See ``Recorder.aclose``. It goes on shipping for 5 seconds at most."""
        with self._lock:
            self._closed.set()
            feeds = tuple(self._feeds.values())
        for feed in feeds:
            feed.hand_to(None)
        with CancelScope(shield=True):
            await to_thread.run_sync(self._writer.stop)
            if self._shipper is not None:
                await self._shipper.ship_the_rest()
            for feed in feeds:
                if not feed.is_finishing:
                    await to_thread.run_sync(feed.write_out)
                    self._forget(feed)

    def _places(self, session_id: str) -> tuple[SessionFolder, ...]:
        """Where recordings of the session may be."""
        if self._tenant_id is None:
            return (SessionFolder(session_id),)
        return session_folders(session_id, self._tenant_id)

    def _opened(self, place: SessionFolder, audio_format: AudioFormat) -> Feed:
        try:
            spool = open_spool(self._spools, place, audio_format.sample_rate)
            if spool.notes.closed_us is not None:
                spool.note_closed(None)
        except OSError as error:
            raise RecordingFailed(f"{place.session_id} cannot be recorded: {error}") from error
        limit_bytes = None if self._shipper is None else self._shipper.shipping.limit_bytes
        keeper = Keeper(spool, unshipped_limit_bytes=limit_bytes)
        return Feed(keeper, audio_format, self._writer)

    # --- for its recordings ------------------------------------------------------------------

    def has_open(self, session_id: str) -> bool:
        """Return whether somebody records this session here."""
        return session_id in self._feeds

    def release(self, feed: Feed) -> None:
        """Let the writer let go of *feed*, unless somebody takes it over before."""
        feed.hand_to(None)
        let_go = partial(feed.have_done, partial(self._let_go, feed))
        if self._shipper is None:
            let_go()
        else:
            self._shipper.leave(feed, let_go)

    async def finish(self, feed: Feed, duration_us: int) -> Recorded:
        """Make the file of *feed*, once everything is written."""
        keeper = feed.keeper
        try:
            segments = await self._settle(feed)
            keeper.attempt(lambda: keeper.spool.note_closed(duration_us), at_us=duration_us)
            return await compose(
                keeper.spool, self._objects, losses=keeper.losses, segments=segments
            )
        finally:
            self._forget(feed)

    async def discard(self, feed: Feed) -> None:
        """Remove what there is of *feed*, once nobody writes or ships it."""
        try:
            segments = await self._settle(feed)
            if segments is not None:
                await segments.throw_away()
            await to_thread.run_sync(feed.keeper.spool.remove)
        finally:
            self._forget(feed)

    async def _settle(self, feed: Feed) -> SegmentFolder | None:
        """Return when all of *feed* is written, and nobody will touch it; say where it went."""
        feed.hand_to(None)
        feed.is_finishing = True
        segments = None if self._shipper is None else await self._shipper.stop(feed)
        settled = Event()

        def settle() -> None:
            self._writer.remove(feed)
            settled.set()

        feed.have_done(settle)
        with CancelScope(shield=True):
            await to_thread.run_sync(settled.wait)
        return segments

    def _let_go(self, feed: Feed) -> None:
        with self._lock:
            if feed.owner is None and not feed.is_finishing:
                self._writer.remove(feed)
                self._forget_locked(feed)

    def _forget(self, feed: Feed) -> None:
        with self._lock:
            self._forget_locked(feed)

    def _forget_locked(self, feed: Feed) -> None:
        feed.keeper.spool.release()
        self._feeds.pop(feed.keeper.spool.notes.session_id, None)


class SpoolRecording:
    """One session's recording; see ``Recording``. Also holds what its owner may do."""

    __slots__ = ("_agent", "_feed", "_kept_until_us", "_recorder", "_session_id", "_user")

    def __init__(self, recorder: SpoolRecorder, session_id: str, feed: Feed) -> None:
        """Take *feed* over: whoever had it finds its recording closed."""
        self._recorder = recorder
        self._session_id = session_id
        self._feed = feed
        self._user, self._agent = feed.hand_to(self)
        self._kept_until_us = feed.kept_until_us

    @property
    def kept_until_us(self) -> int:
        """See ``Recording.kept_until_us``."""
        return self._kept_until_us

    @property
    def problems(self) -> Sequence[RecordingProblem]:
        """See ``Recording.problems``."""
        return self._feed.keeper.losses.problems

    def write(self, track: Track, at_us: int, pcm: bytes, /) -> None:
        """See ``Recording.write``."""
        run = self._user if track is _USER else self._agent
        if not run.takes(at_us, pcm):
            self._feed.give(self, track, at_us, pcm)

    def pause(self, at_us: int, /) -> None:
        """See ``Recording.pause``."""
        feed = self._owned()
        if at_us < 0:
            raise InvalidValue("at_us", at_us, "0 or more")
        feed.pause(at_us)

    def resume(self, at_us: int, /) -> None:
        """See ``Recording.resume``."""
        self._owned().resume(at_us)

    def mask(self, from_us: int, to_us: int, /) -> None:
        """See ``Recording.mask``."""
        feed = self._owned()
        if not 0 <= from_us < to_us:
            raise InvalidValue("mask", f"{from_us} to {to_us}", "0 <= from_us < to_us")
        feed.mask(Span(from_us, to_us))

    async def close(self, duration_us: int, /) -> Recorded:
        """See ``Recording.close``."""
        feed = self._owned()
        if duration_us < 0:
            raise InvalidValue("duration_us", duration_us, "0 or more")
        return await self._recorder.finish(feed, duration_us)

    def release(self) -> None:
        """See ``Recording.release``."""
        if self._feed.owner is self:
            self._recorder.release(self._feed)

    async def discard(self) -> None:
        """See ``Recording.discard``. What was finished of this session goes, too."""
        if self._feed.owner is self or not self._recorder.has_open(self._session_id):
            await self._recorder.purge(self._session_id)

    def _owned(self) -> Feed:
        if self._feed.owner is not self:
            raise RecordingFailed("the recording is closed, or somebody else has taken it over")
        return self._feed


@contextmanager
def _failing(what: str) -> Generator[None]:
    try:
        yield
    except (OSError, StoreError) as error:
        raise RecordingFailed(f"{what}: {error}") from error
