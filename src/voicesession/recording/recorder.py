"""
The recorder: both voices go into spools on this disk, and at the end into one file.

``write`` only appends to a queue; one thread writes for all recordings. What may wait is
bounded. Where the bound is reached because audio comes faster than time, as from a file,
``write`` waits for the writer; where the disk hangs, the newest audio is dropped and
becomes a gap. A disk that refuses costs a gap too, and is asked again with the next audio.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from threading import Event, Lock

from anyio import CancelScope, to_thread

from ..core.audio import AudioFormat
from ..core.errors import InvalidValue, RecordingFailed, StoreError
from ..core.identity import checked_id
from ..core.timeline import Span, Track
from ..ports.objects import ObjectStore
from ..ports.recording import Recorded, RecordingProblem, RecoveryReport
from . import recovery
from .composition import compose, recording_keys
from .feed import Feed
from .file import FileObjectStore
from .spool import claim_spool, open_spool
from .writer import Writer

__all__ = ("SpoolRecorder", "SpoolRecording")


class SpoolRecorder:
    """Records into spools under a folder, and finishes into an object store.

    One for a process: it has one thread, which it starts with its first recording. Each
    recording keeps up to three files open.
    """

    def __init__(self, spools: Path, objects: ObjectStore) -> None:
        """Prepare to record; touches nothing yet.

        Args:
            spools: A folder on a local disk, for this machine's spools.
            objects: Where finished files go. The caller closes it, if it needs that.
        """
        self._spools = spools
        self._objects = objects
        self._writer = Writer()
        self._lock = Lock()
        self._feeds: dict[str, Feed] = {}
        self._is_closed = False

    @classmethod
    def at(cls, root: Path) -> SpoolRecorder:
        """Return a recorder that keeps everything under *root*.

        Finished files are ``{root}/sessions/{session_id}/audio.wav``; what is being
        recorded lies in ``{root}/.spool``.
        """
        return cls(root / ".spool", FileObjectStore(root))

    def open(self, session_id: str, audio_format: AudioFormat, /) -> SpoolRecording:
        """See ``Recorder.open``."""
        checked_id("session_id", session_id)
        with self._lock:
            if self._is_closed:
                raise RecordingFailed("the recorder is closed")
            feed = self._feeds.get(session_id)
            if feed is None:
                feed = self._feeds[session_id] = self._opened(session_id, audio_format)
                self._writer.add(feed)
            elif feed.is_finishing:
                raise RecordingFailed("the recording of this session is being finished")
            elif feed.audio_format != audio_format:
                raise RecordingFailed(f"this session is being recorded as {feed.audio_format}")
            return SpoolRecording(self, session_id, feed)

    async def recover(self, *, spare: Collection[str] = ()) -> Sequence[RecoveryReport]:
        """See ``Recorder.recover``."""
        return await recovery.recover(self._spools, self._objects, spare=spare)

    async def aclose(self) -> None:
        """See ``Recorder.aclose``."""
        with self._lock:
            self._is_closed = True
            feeds = tuple(self._feeds.values())
        for feed in feeds:
            self.release(feed)
        with CancelScope(shield=True):
            await to_thread.run_sync(self._writer.stop)

    def _opened(self, session_id: str, audio_format: AudioFormat) -> Feed:
        try:
            spool = open_spool(self._spools, session_id, audio_format.sample_rate)
            if spool.notes.closed_us is not None:
                spool.note_closed(None)
        except OSError as error:
            raise RecordingFailed(f"{session_id} cannot be recorded: {error}") from error
        return Feed(spool, audio_format, self._writer)

    # --- for its recordings ------------------------------------------------------------------

    def release(self, feed: Feed) -> None:
        """Let the writer let go of *feed*, unless somebody takes it over before."""
        feed.owner = None
        feed.have_done(partial(self._let_go, feed))

    async def finish(self, feed: Feed, duration_us: int) -> Recorded:
        """Make the file of *feed*, once everything is written."""
        try:
            await self._settle(feed)
            feed.attempt(lambda: feed.spool.note_closed(duration_us), at_us=duration_us)
            return await compose(feed.spool, self._objects, losses=feed.losses)
        finally:
            self._forget(feed)

    async def discard(self, feed: Feed) -> None:
        """Remove the spool of *feed*, once nobody writes it."""
        try:
            await self._settle(feed)
            await to_thread.run_sync(feed.spool.remove)
        finally:
            self._forget(feed)

    async def purge(self, session_id: str) -> None:
        """Remove what there is of a session that nobody records."""
        spool = await to_thread.run_sync(claim_spool, self._spools / "open" / session_id)
        if spool is not None:
            await to_thread.run_sync(spool.remove)
        for key in await recording_keys(self._objects, session_id):
            await self._objects.delete(key)

    async def _settle(self, feed: Feed) -> None:
        """Return when the writer has written everything of *feed*, and will not touch it."""
        feed.owner = None
        feed.is_finishing = True
        settled = Event()

        def settle() -> None:
            self._writer.remove(feed)
            settled.set()

        feed.have_done(settle)
        with CancelScope(shield=True):
            await to_thread.run_sync(settled.wait)

    def _let_go(self, feed: Feed) -> None:
        with self._lock:
            if feed.owner is None and not feed.is_finishing:
                self._writer.remove(feed)
                self._forget_locked(feed)

    def _forget(self, feed: Feed) -> None:
        with self._lock:
            self._forget_locked(feed)

    def _forget_locked(self, feed: Feed) -> None:
        feed.spool.release()
        self._feeds.pop(feed.spool.notes.session_id, None)


class SpoolRecording:
    """One session's recording; see ``Recording``. Also holds what its owner may do."""

    def __init__(self, recorder: SpoolRecorder, session_id: str, feed: Feed) -> None:
        """Take *feed* over: whoever had it finds its recording closed."""
        self._recorder = recorder
        self._session_id = session_id
        self._feed = feed
        self._kept_until_us = feed.kept_until_us
        feed.owner = self

    @property
    def kept_until_us(self) -> int:
        """See ``Recording.kept_until_us``."""
        return self._kept_until_us

    @property
    def problems(self) -> Sequence[RecordingProblem]:
        """See ``Recording.problems``."""
        return self._feed.losses.problems

    def write(self, track: Track, at_us: int, pcm: bytes, /) -> None:
        """See ``Recording.write``."""
        self._feed.give(self, track, at_us, pcm)

    def pause(self, at_us: int, /) -> None:
        """See ``Recording.pause``."""
        feed = self._owned()
        if at_us < 0:
            raise InvalidValue("at_us", at_us, "0 or more")
        if feed.paused_at_us is None:
            feed.paused_at_us = at_us
            self._have_done(partial(feed.spool.pause, at_us), at_us)

    def resume(self, at_us: int, /) -> None:
        """See ``Recording.resume``."""
        feed = self._owned()
        if feed.paused_at_us is None:
            return
        if at_us < feed.paused_at_us:
            raise InvalidValue("at_us", at_us, f"{feed.paused_at_us} or more: the cut's start")
        feed.paused_at_us = None
        self._have_done(partial(feed.spool.resume, at_us), at_us)

    def mask(self, from_us: int, to_us: int, /) -> None:
        """See ``Recording.mask``."""
        feed = self._owned()
        if not 0 <= from_us < to_us:
            raise InvalidValue("mask", f"{from_us} to {to_us}", "0 <= from_us < to_us")
        self._have_done(partial(feed.spool.mask, Span(from_us, to_us)), from_us)

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
        try:
            if self._feed.owner is self:
                await self._recorder.discard(self._feed)
            await self._recorder.purge(self._session_id)
        except (OSError, StoreError) as error:
            raise RecordingFailed(f"something of the recording is left: {error}") from error

    def _owned(self) -> Feed:
        if self._feed.owner is not self:
            raise RecordingFailed("the recording is closed, or somebody else has taken it over")
        return self._feed

    def _have_done(self, action: Callable[[], None], at_us: int) -> None:
        # At once, not with the next round: what is to be silent should not lie on a disk.
        self._feed.have_done(partial(self._feed.attempt, action, at_us=at_us))
