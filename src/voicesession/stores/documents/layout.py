"""
Which documents there are, under which keys, and by which indexes they are read.

* ``sessions``: one *head* for each session, under the session's id: its snapshot, and what is
  derived from it for the indexes. Everything else of a session lies under its *root*, a text
  that is drawn when the session is created; so what is left over of a deleted session never
  meets a new one with the same id.
* ``entries``, ``tasks``, ``texts``: under the root. ``utterances`` lie under the head's
  *words*, which is drawn anew when they are forgotten, so that all are gone at one instant.
  Each says what it lies under.
* ``rooms``: a claim for each room's name, because names are unique over all sessions.
* ``erasures``: what has become invisible and has still to be erased.
* ``gates``: what new sessions pass that are counted; see `admission`.
* ``accounts``, ``balances``, ``holds``: the books; see `ledger`.

A session changes only in a batch that holds its head at the revision that was read. So
whatever lies under a head belongs to that head, and two writers cannot mix.
"""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import uuid4

from ...core.identity import SessionId
from ...core.tasks import TaskId
from ...core.templates import TemplateId
from ...ports.documents import DocumentKey, Index

__all__ = (
    "BY_LOOK",
    "BY_TASK_TYPE",
    "EVERY_ERASURE",
    "EVERY_TEMPLATE",
    "EXPIRING_HOLDS",
    "FOLLOWERS",
    "HOLDS_OF_SESSION",
    "INDEXES",
    "LISTS",
    "OPEN",
    "OPEN_OF_ANY_USER",
    "OPEN_OF_TENANT",
    "OPEN_OF_USER",
    "SESSIONS_OF_TEMPLATE",
    "TASKS",
    "TEMPLATES_OF_TENANT",
    "TOMBSTONES",
    "TOMBSTONES_OF_TENANT",
    "UNERASED",
    "WORDS",
    "digest",
    "drawn",
    "entry_key",
    "erasure_key",
    "gate_key",
    "head_key",
    "room_key",
    "task_key",
    "template_key",
    "text_key",
    "tombstone_key",
    "utterance_key",
)

LISTS: Final = (
    Index("sessions", ("tenant_id", "user_id"), ("listed_at",)),
    Index("sessions", ("tenant_id", "state"), ("listed_at",)),
    Index("sessions", ("tenant_id", "status"), ("listed_at",)),
    Index("sessions", ("tenant_id",), ("listed_at",)),
    Index("sessions", (), ("listed_at",)),
)
"""What lists read by: the first whose fields are all given. The rest is filtered here."""

OPEN: Final = Index("sessions", ("is_open",))
OPEN_OF_TENANT: Final = Index("sessions", ("tenant_id", "is_open"))
OPEN_OF_USER: Final = Index("sessions", ("tenant_id", "user_id", "is_open"))
OPEN_OF_ANY_USER: Final = Index("sessions", ("user_id", "is_open"))
FOLLOWERS: Final = Index("sessions", ("previous_session_id",))
SESSIONS_OF_TEMPLATE: Final = Index("sessions", ("session_template_id",))
BY_LOOK: Final = Index("sessions", (), ("look_at",))
"""When somebody must look: the end of the lease, or the deadline where there is none."""

WORDS: Final = Index("utterances", ("under",), ("start_us",))
TASKS: Final = Index("tasks", ("under",))
BY_TASK_TYPE: Final = Index("tasks", ("type", "is_open"), ("due_at",))
TOMBSTONES: Final = Index("tombstones", (), ("buried_at",))
TOMBSTONES_OF_TENANT: Final = Index("tombstones", ("tenant_id",), ("buried_at",))
EVERY_ERASURE: Final = Index("erasures", ())
UNERASED: Final = Index("erasures", ("belongs_to",))
EVERY_TEMPLATE: Final = Index("templates", ())
TEMPLATES_OF_TENANT: Final = Index("templates", ("tenant_id",))
HOLDS_OF_SESSION: Final = Index("holds", ("tenant_id", "session_id"))
EXPIRING_HOLDS: Final = Index("holds", (), ("expires_at",))

INDEXES: Final = (
    *LISTS,
    *(OPEN, OPEN_OF_TENANT, OPEN_OF_USER, OPEN_OF_ANY_USER),
    *(FOLLOWERS, SESSIONS_OF_TEMPLATE, BY_LOOK, WORDS, TASKS, BY_TASK_TYPE),
    *(TOMBSTONES, TOMBSTONES_OF_TENANT, EVERY_ERASURE, UNERASED),
    *(EVERY_TEMPLATE, TEMPLATES_OF_TENANT, HOLDS_OF_SESSION, EXPIRING_HOLDS),
)
"""Every index that the stores read by: what a medium has to have before they open."""


def drawn() -> str:
    """Return a text that nobody has drawn before."""
    return uuid4().hex


def digest(*names: str) -> str:
    """Return a document id for names that may be no ids: of any length, with any characters."""
    return hashlib.sha256("\0".join(names).encode()).hexdigest()


def head_key(session_id: SessionId) -> DocumentKey:
    """Return where the head of a session is."""
    return DocumentKey("sessions", session_id)


def entry_key(root: str, seq: int) -> DocumentKey:
    """Return where a journal entry is."""
    return DocumentKey("entries", f"{root}~{seq}")


def utterance_key(words: str, utterance_id: str) -> DocumentKey:
    """Return where an utterance is."""
    return DocumentKey("utterances", f"{words}~{utterance_id}")


def task_key(root: str, task_id: TaskId | str) -> DocumentKey:
    """Return where a task is."""
    return DocumentKey("tasks", f"{root}~{task_id}")


def text_key(root: str, number: int) -> DocumentKey:
    """Return where a piece of a text is that is too long for the head."""
    return DocumentKey("texts", f"{root}~{number}")


def room_key(room_name: str) -> DocumentKey:
    """Return where the claim to a room is."""
    return DocumentKey("rooms", digest(room_name))


def gate_key(tenant_id: str, scope: str, account_id: str) -> DocumentKey:
    """Return where the gate is that new sessions of a user, or of a tenant, pass."""
    return DocumentKey("gates", digest(tenant_id, scope, account_id))


def template_key(template_id: TemplateId | str) -> DocumentKey:
    """Return where a template is."""
    return DocumentKey("templates", template_id)


def tombstone_key(root: str) -> DocumentKey:
    """Return where what is left of a session is."""
    return DocumentKey("tombstones", root)


def erasure_key(root: str) -> DocumentKey:
    """Return where it stands what has still to be erased."""
    return DocumentKey("erasures", root)
