"""What of one recording the object store does not have yet: told by two threads, bounded."""

from __future__ import annotations

from threading import Lock
from typing import Final

from attrs import define, field

from ..core.timeline import Track, merged, without
from .spool import FRAME_BYTES

__all__ = ("Batch", "Unshipped")

_MAX_STRETCHES: Final = 64
"""Of each track; the last ones are joined: to ship more than is new does no harm."""
_NEAR_FRAMES: Final = 8 * 1024
"""What lies so near is joined, too: 16 KiB of silence cost less than another request."""


@define
class Batch:
    """What is to be shipped at once. Whoever ships it takes out what has arrived.

    Attributes:
        stretches: Media frames that are new, in order.
        wiped: Media frames, of both tracks, that no segment may hold any more.
    """

    stretches: dict[Track, tuple[range, ...]]
    wiped: tuple[range, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.wiped or any(self.stretches.values()))

    def arrived(self, track: Track, frames: range) -> None:
        """Take out *frames*."""
        self.stretches[track] = _without(self.stretches[track], (frames,))


class Unshipped:
    """Gathers what is new. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._new = _nothing()
        self._wiped: tuple[range, ...] = ()

    @property
    def size_bytes(self) -> int:
        """How much there is, without what is under way."""
        return sum(len(one) for new in self._new.values() for one in new) * FRAME_BYTES

    @property
    def frames(self) -> range:
        """From the oldest frame of it to the newest."""
        new = [one for stretches in self._new.values() for one in stretches]
        if not new:
            return range(0)
        return range(min(one.start for one in new), max(one.stop for one in new))

    @property
    def has_wiped(self) -> bool:
        """Whether something waits that should not wait: it is to be nowhere."""
        return bool(self._wiped)

    def add(self, track: Track, frames: range) -> None:
        """Say that *frames* of *track* are new."""
        with self._lock:
            self._add(track, (frames,))

    def wipe(self, frames: range) -> None:
        """Say that there is silence now in *frames* of both tracks."""
        with self._lock:
            self._wiped = merged((*self._wiped, frames))
            self._new = {track: _without(new, (frames,)) for track, new in self._new.items()}

    def take(self) -> Batch:
        """Return everything; here it is forgotten."""
        with self._lock:
            batch = Batch(self._new, self._wiped)
            self._new, self._wiped = _nothing(), ()
        return batch

    def give_back(self, batch: Batch) -> None:
        """Take back what was not shipped."""
        with self._lock:
            self._wiped = merged((*batch.wiped, *self._wiped))
            for track, stretches in batch.stretches.items():
                self._add(track, stretches)

    def _add(self, track: Track, stretches: tuple[range, ...]) -> None:
        new = _joined(merged((*self._new[track], *stretches)))
        if len(new) > _MAX_STRETCHES:
            kept = _MAX_STRETCHES - 1
            new = (*new[:kept], range(new[kept].start, new[-1].stop))
        self._new[track] = new


def _nothing() -> dict[Track, tuple[range, ...]]:
    return dict.fromkeys(Track, ())


def _joined(stretches: tuple[range, ...]) -> tuple[range, ...]:
    joined = list(stretches[:1])
    for stretch in stretches[1:]:
        if stretch.start - joined[-1].stop <= _NEAR_FRAMES:
            joined[-1] = range(joined[-1].start, stretch.stop)
        else:
            joined.append(stretch)
    return tuple(joined)


def _without(stretches: tuple[range, ...], holes: tuple[range, ...]) -> tuple[range, ...]:
    return tuple(part for stretch in stretches for part in without(stretch, holes))
