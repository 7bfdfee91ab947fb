"""
The one thread that writes for all recordings of a recorder.

It makes a round twice a second, or at once when somebody wakes it: each recording
writes out what waits. From then on the end of this process costs nothing. Against a power
cut what was written is made durable once a second; as that costs more than all the rest,
however little there is of it, and each recording has files of its own, no more than 10
recordings have it in one second, and the others in the next ones. A disk may take seconds
for it, and audio does not wait as long: it is done in another thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread
from typing import Final, Protocol

__all__ = ("Source", "Writer")

_ROUND_S: Final = 0.5
_SYNC_S: Final = 1.0
_SYNCS_AT_ONCE: Final = 10
_PATIENCE_S: Final = 0.5
"""A step that takes longer hangs. Less than what fits into a queue in real time."""


class Source(Protocol):
    """Somebody whose audio is to be written. Only the writer's thread calls its methods."""

    @property
    def is_unsynced(self) -> bool:
        """Whether something was written since the last ``begin_sync``."""
        ...

    def write_out(self) -> None:
        """Write what waits. Deals with a medium that fails by itself."""
        ...

    def begin_sync(self) -> Callable[[], None]:
        """Return what makes durable what was written so far, called in another thread.

        It deals with a medium that fails by itself.
        """
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
        self._syncing: Thread | None = None
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
            if _now_s() - synced_s >= _SYNC_S and not self._is_syncing:
                synced_s = _now_s()
                self._begin_syncs(_SYNCS_AT_ONCE)
        self._write_out()
        self._finish_syncs()
        self._begin_syncs(len(self._sources))
        self._finish_syncs()
        self._write_out()  # what could not be made durable is known by now, and noted

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

    @property
    def _is_syncing(self) -> bool:
        return self._syncing is not None and self._syncing.is_alive()

    def _finish_syncs(self) -> None:
        if self._syncing is not None:
            self._syncing.join()

    def _begin_syncs(self, count: int) -> None:
        """Have those made durable, *count* of them, who have waited for it longest."""
        with self._lock:
            unsynced = [source for source in self._sources if source.is_unsynced]
            unsynced.sort(key=self._sources.__getitem__)
            for source in unsynced[:count]:
                self._sources[source] = _now_s()
        syncs = [source.begin_sync() for source in unsynced[:count]]
        if syncs:
            name = "voicesession-recorder-sync"
            self._syncing = Thread(target=_do_all, args=[syncs], name=name, daemon=True)
            self._syncing.start()


def _do_all(actions: Sequence[Callable[[], None]]) -> None:
    for action in actions:
        action()


def _now_s() -> float:
    return time.monotonic()  # noqa: TID251  # a disk keeps its own time, in replays too
