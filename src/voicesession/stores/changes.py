"""
What a commit makes of what is stored: the rules that every medium shares.

The fields of a session belong to different writers, so a commit does not simply put its
snapshot in the place of the stored one:

* FIXED fields are written when the session is created, and never again;
* LEASE fields are the store's own: no commit writes them, but one that ends the session
  drops the lease;
* COUNTED fields are known to the owner alone: a commit writes them only with its epoch.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Final

from pydantic_core import from_json

from ..core.errors import InvalidValue, LeaseLost, VersionConflict
from ..core.identity import checked_id
from ..core.session import Session
from ..core.snapshots import changed
from ..core.states import SessionState
from ..core.utterance import Utterance, storable_utterance
from ..ports.storage import Change

__all__ = (
    "COUNTED",
    "FIXED",
    "LEASE",
    "LONGEST_US",
    "check_change",
    "check_duration",
    "check_standing",
    "check_task_named",
    "created",
    "merged",
    "placed",
    "room_is_taken",
    "template_is_taken",
)

FIXED: Final = frozenset(
    {
        *("id", "tenant_id", "user_id", "created_by", "created_at"),
        *("mode", "language", "model", "encoding", "sample_rate", "channels"),
        *("store_audio", "store_transcript", "enhance_on_end", "retention_days"),
        *("max_active_us", "max_wall_clock_us"),
        *("device_type", "client_version", "key_hash", "previous_session_id"),
        # Not even by an owner who has not heard that the template is gone.
        "session_template_id",
    }
)
LEASE: Final = frozenset({"worker_id", "epoch", "lease_expires_at"})
COUNTED: Final = frozenset(
    {"audio_duration_us", "audio_chunks_received", "audio_chunks_processed", "audio_used_us"}
)

_KEPT_FROM_OWNERS: Final = FIXED | LEASE
_KEPT_FROM_OTHERS: Final = FIXED | LEASE | COUNTED

# Durations are stored in seconds and in minutes. As doubles those are exact to the
# microsecond while the two roundings on the way, of 2^-53 each, stay below half of one.
LONGEST_US: Final = 2**51
_MOST_RETENTION_DAYS: Final = 2**31 - 1


def check_change(change: Change) -> None:
    """Do nothing if every value of *change* can be stored, and comes back as it was.

    Raises:
        InvalidValue: One cannot; the error names it.
        LeaseLost: It creates a session and claims to own it already.
    """
    session = change.session
    if change.expected_seq is None and change.epoch:
        raise LeaseLost(session.id, change.epoch)
    check_duration("audio_duration_us", session.audio_duration_us)
    check_duration("audio_used_us", session.audio_used_us)
    remaining = session.daily_budget_remaining
    if remaining is not None and remaining.audio_us is not None:
        check_duration("daily_budget_remaining", abs(remaining.audio_us))
    if session.retention_days > _MOST_RETENTION_DAYS:
        raise InvalidValue("retention_days", session.retention_days, "at most 2^31 - 1 days")
    _check_json("metadata", session.metadata_json)
    for task in change.tasks:
        _check_json("payload", task.payload_json)
    for utterance in change.utterances:
        checked_id("utterance.id", utterance.id)
        storable_utterance(utterance)


def check_duration(field: str, duration_us: int) -> None:
    """Do nothing if *duration_us* is exact as seconds and as minutes, too.

    Raises:
        InvalidValue: It is negative, or longer than 71 years.
    """
    if not 0 <= duration_us <= LONGEST_US:
        raise InvalidValue(field, duration_us, f"0 to {LONGEST_US} us, which are 71 years")


def check_standing(change: Change, *, seq: int, epoch: int) -> None:
    """Do nothing if *change* was built on the stored session, by who may change it.

    Raises:
        LeaseLost: Its writer is no longer the owner, and must stop; told first, because
            whoever has lost a lease need not reload.
        VersionConflict: The stored session has moved on.
    """
    if change.epoch is not None and change.epoch != epoch:
        raise LeaseLost(change.session.id, change.epoch)
    if change.expected_seq is not None and change.expected_seq != seq:
        raise VersionConflict(change.session.id, change.expected_seq)


def created(session: Session) -> Session:
    """Return *session* as it is stored when it is new: nobody has owned it yet."""
    return changed(session, worker_id=None, epoch=0, lease_expires_at=None)


def merged(stored: Session, change: Change) -> Session:
    """Return what is stored after *change*: its snapshot, in the fields that it may write."""
    kept = _KEPT_FROM_OWNERS if change.epoch is not None else _KEPT_FROM_OTHERS
    fields = {name: getattr(stored, name) for name in kept}
    if change.session.state is SessionState.ENDED:
        fields |= {"worker_id": None, "lease_expires_at": None}
    return changed(change.session, **fields)


def placed(change: Change) -> Iterator[tuple[int, Utterance]]:
    """Yield the words of *change* with their places: the seqs of its entries, one after the other.

    Words that begin together are read in the order of their places: so as they came. More words
    than entries share the last one's.
    """
    first, last = change.expected_seq or 0, change.session.seq
    for number, said in enumerate(change.utterances, start=1):
        yield min(first + number, last), said


def room_is_taken(room_name: str) -> InvalidValue:
    """Return the refusal of a room that another session has, whosever it is."""
    return InvalidValue("room_name", room_name, "the name of no other session's room")


def check_task_named(change: Change, stored: Container[str]) -> None:
    """Do nothing if ``enhancement_job_id`` names a task of the session, or none.

    Args:
        stored: The ids of the tasks that it has already.

    Raises:
        InvalidValue: It names no task of the session.
    """
    named = change.session.enhancement_job_id
    if named is not None and named not in stored and all(t.id != named for t in change.tasks):
        raise InvalidValue("enhancement_job_id", named, "a task of the session")


def template_is_taken(template_id: str) -> InvalidValue:
    """Return the refusal of a template's id that another tenant's has."""
    return InvalidValue("id", template_id, "the id of no other tenant's template")


def _check_json(field: str, text: str) -> None:
    # A row of broken JSON would fail every list that asks for metadata.
    if text == "{}":
        return
    try:
        from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidValue(field, text, f"a JSON object ({error})") from None
