"""
The one thread that writes for all recordings of a recorder.

It makes a round twice a second, or at once when somebody wakes it: each recording
writes out what waits. From then on the end of this process costs nothing. Against a power
cut what was written is made durable once a second; as that costs more than all the rest,
however little there is of it, and each recording has files of its own, no more than 10
recordings have it in one second, and the others in the next ones.
"""

from __future__ import annotations

import time
from threading import Event, Lock, Thread
from typing import Final, Protocol

__all__ = ("Source", "Writer")

_ROUND_S: Final = 0.5
_SYNC_S: Final = 1.0
_SYNCS_AT_ONCE: Final = 10
_PATIENCE_S: Final = 0.5
"""A step that takes longer hangs. Less than what fits into a queue in real time."""


class Source(Protocol):
    """Somebody whose audio is to be written. Only the writer's thread calls it."""

    @property
    def is_unsynced(self) -> bool:
        """Whether something was written since the last ``sync``."""
        ...

    def write_out(self) -> None:
        """Write what waits. Deals with a medium that fails by itself."""
        ...

    def sync(self) -> None:
        """Make durable what was written. Deals with a medium that fails by itself."""
        ...

    def broke(self, error: Exception) -> None:
        """Report a defect in ``write_out``."""
        ...


class Writer:
    """Makes rounds over its sources until it is stopped. Any thread may call it."""

    def __init__(self) -> None:
        self._sources: dict[Source, float] = {}
        """And when each was last synced."""
        self._lock = Lock()
        self._wake = Event()
        self._is_stopping = False
        self._thread: Thread | None = None
        self._step_began_s: float | None = None

    def add(self, source: Source) -> None:
        """Write for *source* from now on."""
        with self._lock:
            self._sources[source] = _now_s()
            if self._thread is None:
                # A daemon: who forgets to close the recorder must still be able to exit;
                # what the last round did not write is what a crash would cost, too.
                self._thread = Thread(target=self._run, name="voicesession-recorder", daemon=True)
                self._thread.start()
        self._wake.set()

    def remove(self, source: Source) -> None:
        """Do not touch *source* again; to be called from within its ``write_out``."""
        with self._lock:
            self._sources.pop(source, None)

    def wake(self) -> None:
        """Make a round now, or another one after this."""
        if not self._wake.is_set():
            self._wake.set()

    def patience_s(self) -> float:
        """Return for how long what the writer is doing does not count as hanging."""
        began_s = self._step_began_s
        return _PATIENCE_S if began_s is None else began_s + _PATIENCE_S - _now_s()

    def stop(self) -> None:
        """Make a last round and end the thread; returns when it has ended."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._is_stopping = True
        self._wake.set()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        synced_s = _now_s()
        while not self._is_stopping:
            self._wake.wait(_ROUND_S if self._sources else None)
            self._wake.clear()
            self._write_out()
            if _now_s() - synced_s >= _SYNC_S:
                synced_s = _now_s()
                self._sync(_SYNCS_AT_ONCE)
        self._write_out()
        self._sync(len(self._sources))

    def _write_out(self) -> None:
        with self._lock:
            sources = tuple(self._sources)
        for source in sources:
            self._step_began_s = _now_s()
            try:
                source.write_out()
            except Exception as error:  # noqa: BLE001  # reported; the other recordings go on
                source.broke(error)
        self._step_began_s = None

    def _sync(self, count: int) -> None:
        with self._lock:
            unsynced = [source for source in self._sources if source.is_unsynced]
            unsynced.sort(key=self._sources.__getitem__)
        written_s = _now_s()
        for source in unsynced[:count]:
            if source not in self._sources:  # removed by a round that was made in between
                continue
            self._sources[source] = self._step_began_s = _now_s()
            source.sync()
            if _now_s() - written_s >= _ROUND_S:  # a slow disk: nobody waits for all
                self._write_out()
                written_s = _now_s()
        self._step_began_s = None


def _now_s() -> float:
    return time.monotonic()  # noqa: TID251  # a disk keeps its own time, in replays too
