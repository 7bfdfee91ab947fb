"""
What is recorded here goes into the object store as well, at each checkpoint.

A machine may be lost with its disk. So what is new in each spool is shipped now and then
as immutable segments; see ``SegmentFolder``. What must not be kept (a mask, a cut) leaves
the segments within a second or two. While the store does not take them, the audio waits
in the spools, and the same recording is tried again later and later.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

import anyio
from anyio import CancelScope, to_thread
from attrs import field, frozen

from ..core.backoff import Backoff
from ..core.errors import InvalidValue, VoiceSessionError
from ..core.instants import duration_us
from ..core.segments import durable, first_checkpoint, plan_segments
from ..core.timeline import Track, without
from ..ports.clock import Clock
from ..ports.objects import ObjectStore
from ..ports.recording import Backlog, ProblemKind
from .feed import Feed
from .segments import SegmentFolder
from .unshipped import Batch

__all__ = ("Shipment", "Shipper", "Shipping")

_SEGMENT_FRAMES: Final = 512 * 1024
"""1 MiB: what an upload under way takes of memory."""
_TICK_US: Final = 1_000_000
_AHEAD_US: Final = _TICK_US + 500_000
"""So much earlier than a checkpoint ends, it begins: a tick may come so late, and what was said
is in the spool, from where it is shipped, half a second later."""
_LAST_CHANCE_S: Final = 5.0
"""So long a recorder that is closed goes on shipping."""


def _is_checkpoint(_instance: object, attribute: Any, value: timedelta) -> None:
    if value < timedelta(seconds=5):
        raise InvalidValue(attribute.name, value, "5 seconds or more")


def _is_positive(_instance: object, attribute: Any, value: int) -> None:
    if value < 1:
        raise InvalidValue(attribute.name, value, "1 or more")


@frozen(kw_only=True)
class Shipping:
    """How recordings are shipped. Where finished files stay on this machine, none are.

    Attributes:
        checkpoint: What was said so long ago is in the store, or on its way there: what may be
            lost with the machine is this, and what comes while it is sent. 5 seconds or more.
        at_once: So many recordings are shipped at the same time; each has 1 MiB under way.
        limit_bytes: How much of one recording may wait for the store; newer audio is then
            dropped. The default is 70 minutes of both voices at 16 kHz.
        backoff: The waits between tries; it does not stop after its last.

    Raises:
        InvalidValue: A number is out of its range.
    """

    clock: Clock
    checkpoint: timedelta = field(default=timedelta(seconds=30), validator=_is_checkpoint)
    at_once: int = field(default=4, validator=_is_positive)
    limit_bytes: int = field(default=256 * 1024 * 1024, validator=_is_positive)
    backoff: Backoff = field(factory=Backoff)


class Shipment:
    """One recording on its way into the store.

    Attributes:
        due_us: When it is shipped next, by the monotonic clock.
        is_under_way: It is being shipped, or waits for its turn.
        failures: Tries since the last that succeeded.
        let_go: Nobody records here any more: to be called when it was shipped once more.
    """

    def __init__(self, feed: Feed, objects: ObjectStore, *, due_us: int) -> None:
        self.feed = feed
        self.folder = SegmentFolder(objects, feed.keeper.spool.notes.folder)
        self.due_us = due_us
        self.is_under_way = False
        self.failures = 0
        self.let_go: Callable[[], None] | None = None
        self._lock = anyio.Lock()
        self._is_stopped = False
        self._checkpoint: int | None = None
        self._noted: bytes | None = None

    def is_due(self, now_us: int) -> bool:
        """Whether to ship it now: at its checkpoint, or because something should not wait."""
        if self.is_under_way:
            return False
        is_urgent = self._checkpoint is None or self.feed.keeper.unshipped.has_wiped
        return self.due_us <= now_us or self.let_go is not None or (is_urgent and not self.failures)

    async def stop(self) -> None:
        """Ship nothing more; returns when nothing is under way. It does not take cancels."""
        self._is_stopped = True
        with CancelScope(shield=True):
            async with self._lock:
                pass

    async def ship(self) -> bool:
        """Ship what is new; return False where it was not its turn to be shipped.

        The first time it only looks what there is from before.

        Raises:
            StoreError: The store did not take everything; the rest waits.
            RecordingFailed: What it has of this recording cannot be read.
        """
        async with self._lock:
            if self._is_stopped:
                return False
            if self._checkpoint is None:
                self._checkpoint = await self._look()
                if self.let_go is None:
                    return False
            unshipped = self.feed.keeper.unshipped
            batch = unshipped.take()
            try:
                await self._ship(batch, self._checkpoint)
            finally:
                unshipped.give_back(batch)
            return True

    async def _look(self) -> int:
        """Find out what is in the store already; return the number to go on with."""
        found = await self.folder.look()
        if found is not None and found.notes.made is not None:
            await self.folder.tidy()  # finished, and now begun again
            found = None
        keeper = self.feed.keeper
        for track in Track:
            there = () if found is None else durable(found.segments, track)
            for stretch in without(keeper.spool.own_frames(track), there):
                keeper.unshipped.add(track, stretch)
        if found is None:
            return 0
        self.feed.have_done(partial(self.feed.adopt, found.notes))
        return first_checkpoint(found.segments)

    async def _ship(self, batch: Batch, checkpoint: int) -> None:
        keeper = self.feed.keeper
        notes = keeper.spool.notes
        log = notes.log()
        if batch.is_empty and self._noted in (None, log):
            return
        self._checkpoint = checkpoint + 1  # what did not arrive is of a later one
        if self._noted != log:
            await self.folder.note(notes)
            self._noted = log
        if batch.wiped:
            await self.folder.wipe(batch.wiped)
            batch.wiped = ()
        for track, stretches in tuple(batch.stretches.items()):
            for stretch in stretches:
                for segment in plan_segments(
                    stretch, track, checkpoint, at_most_frames=_SEGMENT_FRAMES
                ):
                    samples = await to_thread.run_sync(keeper.spool.read, track, segment.frames)
                    if self._is_stopped:
                        return
                    self._note_checkpoint(checkpoint)
                    await self.folder.put(segment, samples)
                    batch.arrived(track, segment.frames)

    def _note_checkpoint(self, checkpoint: int) -> None:
        """Have the spool know of it before it takes anything newer, which is to hold.

        And before it is sent: what is reported as failed may have arrived.
        """
        keeper = self.feed.keeper
        if keeper.spool.notes.checkpoint != checkpoint:
            note = partial(keeper.spool.note_checkpoint, checkpoint)
            self.feed.have_done(partial(keeper.attempt, note, at_us=0))


class Shipper:
    """Ships all recordings of a recorder, a bounded number at once."""

    def __init__(self, objects: ObjectStore, shipping: Shipping) -> None:
        self.shipping = shipping
        self._objects = objects
        self._clock = shipping.clock
        self._every_us = duration_us(shipping.checkpoint) - _AHEAD_US
        self._turns = anyio.Semaphore(shipping.at_once)
        self._shipments: dict[Feed, Shipment] = {}
        self._is_running = False

    @property
    def backlog(self) -> Backlog:
        """See ``Recorder.backlog``."""
        keepers = [feed.keeper for feed in tuple(self._shipments)]
        return Backlog(
            unshipped_bytes=sum(keeper.unshipped.size_bytes for keeper in keepers),
            lag_us=max((keeper.lag_us for keeper in keepers), default=0),
        )

    def add(self, feed: Feed) -> None:
        """Ship *feed* from now on; also one that was leaving, and stays after all."""
        shipment = self._shipments.get(feed)
        if shipment is None:
            due_us = self._clock.monotonic_us() + self._every_us
            shipment = self._shipments[feed] = Shipment(feed, self._objects, due_us=due_us)
        shipment.let_go = None

    def leave(self, feed: Feed, let_go: Callable[[], None]) -> None:
        """Ship *feed* once more, whether that succeeds or not, then call *let_go*."""
        if self._is_running:
            self._shipments[feed].let_go = let_go
        else:
            self._shipments.pop(feed, None)
            let_go()

    async def stop(self, feed: Feed) -> SegmentFolder:
        """Ship *feed* no more; return where its segments are."""
        shipment = self._shipments.pop(feed)
        await shipment.stop()
        return shipment.folder

    async def run(self) -> None:
        """Ship until it is cancelled; see ``Recorder.run``."""
        self._is_running = True
        try:
            async with anyio.create_task_group() as group:
                while True:
                    now_us = self._clock.monotonic_us()
                    for shipment in tuple(self._shipments.values()):
                        if shipment.is_due(now_us):
                            shipment.is_under_way = True
                            group.start_soon(self._ship, shipment)
                    await self._clock.sleep_until(now_us + _TICK_US)
        finally:
            self._is_running = False

    async def ship_the_rest(self) -> None:
        """Ship what is left of all recordings, for some seconds at most, and then no more."""
        shipments, self._shipments = tuple(self._shipments.values()), {}
        with anyio.move_on_after(_LAST_CHANCE_S):
            async with anyio.create_task_group() as group:
                for shipment in shipments:
                    shipment.let_go = _nothing
                    group.start_soon(self._ship, shipment)
        for shipment in shipments:
            await shipment.stop()

    async def _ship(self, shipment: Shipment) -> None:
        try:
            async with self._turns:
                began_us = self._clock.monotonic_us()
                was_shipped = await shipment.ship()
        except (VoiceSessionError, OSError) as error:
            self._failed(shipment, error)
        else:
            shipment.failures = 0
            if was_shipped:
                shipment.due_us = began_us + self._every_us
        finally:
            shipment.is_under_way = False
        if shipment.let_go is not None:
            self._shipments.pop(shipment.feed, None)
            shipment.let_go()

    def _failed(self, shipment: Shipment, error: Exception) -> None:
        draw = random.random()  # noqa: S311 - so that many do not come back together
        delay_us = self.shipping.backoff.delay_us(shipment.failures, draw)
        shipment.failures += 1
        shipment.due_us = self._clock.monotonic_us() + delay_us
        keeper = shipment.feed.keeper
        keeper.losses.add_problem(ProblemKind.NOT_SHIPPED, keeper.unshipped_span, str(error))


def _nothing() -> None:
    pass
