"""Commits: which documents a change comes to, all written in one batch with the session's head."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from ...core.errors import (
    InvalidValue,
    SessionExists,
    SessionNotFound,
    StoreError,
    TemplateNotFound,
)
from ...core.identity import checked_id
from ...core.session import Session
from ...core.states import SessionState
from ...core.tasks import Task
from ...ports.documents import (
    ABSENT,
    MAX_WRITES,
    Check,
    Delete,
    DocumentKey,
    Put,
    StoredDocument,
    Write,
)
from ...ports.scope import Scope
from ...ports.storage import Change
from ..changes import (
    check_change,
    check_standing,
    check_task_named,
    created,
    merged,
    placed,
    room_is_taken,
)
from ..codec import entry_text, parse_session, utterance_document
from ..records import task_document
from . import layout
from .admission import gates_of
from .bulk import everything_in
from .contention import persistently
from .heads import Head, found
from .onheads import OnHeads
from .requests import LARGEST_BATCH, batch_bytes

__all__ = ("Commits", "task_put")


class Commits(OnHeads):
    """See `SessionStore.commit`."""

    async def commit(self, change: Change, /) -> None:
        """Write *change*, which must come to at most 500 documents.

        Raises:
            InvalidValue: It comes to more, or one is larger than the medium allows.
        """
        check_change(change)
        write = partial(self._create if change.expected_seq is None else self._update, change)
        if self._forgetting is None or change.session.state is not SessionState.ENDED:
            await persistently(write)
            return
        if change.session.legal_hold:
            await self._forgetting.prevent(change.session.id)
        await persistently(write)
        await self._forgetting.arrange(change.session.id)

    async def _create(self, change: Change) -> None:
        session = change.session
        standing, conditions = await self._prerequisites(session)
        if standing is not None:
            raise SessionExists(session.id)
        check_task_named(change, stored=())
        gates = await gates_of(self._driver, change)
        root, words = layout.drawn(), layout.drawn()
        await self._write(
            [
                *self._heads.new(created(session), root=root, words=words),
                *conditions,
                *gates,
                *self._belongings(change, change.tasks, root=root, words=words),
            ]
        )

    async def _update(self, change: Change) -> None:
        session = change.session
        keys = [layout.head_key(session.id)]
        if session.room_name is not None:
            keys.append(layout.room_key(session.room_name))
        stored, *claims = await self._driver.get(keys)
        head = found(session.id, stored, Scope(session.tenant_id))
        check_standing(change, seq=head.seq, epoch=head.epoch)
        rooms = _moved(head, session, claims)
        new_tasks = await self._new_tasks(head, change)
        after = merged(parse_session(head.body), change)
        await self._write(
            [
                *self._heads.changed(head, after),
                *rooms,
                *self._belongings(change, new_tasks, root=head.root, words=head.words),
            ]
        )

    async def _write(self, writes: list[Write]) -> None:
        if len(writes) > MAX_WRITES:
            raise InvalidValue("change", f"{len(writes)} documents", f"at most {MAX_WRITES}")
        if (largest := self._driver.largest_document_bytes) is not None:
            size, most = batch_bytes(writes), LARGEST_BATCH * largest
            if size > most:
                raise InvalidValue("change", f"{size} bytes", f"at most {most} on this medium")
        await self._driver.write(writes)

    async def _prerequisites(self, session: Session) -> tuple[StoredDocument | None, list[Write]]:
        """Return what has the id of a new session, and on what else its creation depends."""
        wanted: dict[str, DocumentKey] = {"itself": layout.head_key(session.id)}
        if session.previous_session_id is not None:
            wanted["previous"] = layout.head_key(session.previous_session_id)
        if session.session_template_id is not None:
            wanted["template"] = _template_key(session.session_template_id)
        if session.room_name is not None:
            wanted["room"] = layout.room_key(session.room_name)
        read = await self._driver.get(tuple(wanted.values()))
        there = dict(zip(wanted, read, strict=True))
        if there["itself"] is not None:
            return there["itself"], []
        conditions: list[Write] = []
        if session.previous_session_id is not None:
            missing: StoreError = SessionNotFound(session.previous_session_id)
            previous = _standing(session, there["previous"], missing)
            # Written as it is, so that nobody deletes it who has not seen its new follower.
            conditions.append(Head(previous).with_changes({}))
        if session.session_template_id is not None:
            missing = TemplateNotFound(session.session_template_id)
            template = _standing(session, there["template"], missing)
            conditions.append(Check(template.key, template.revision))
        if session.room_name is not None:
            conditions.append(_claim(session, session.room_name, there["room"]))
        return None, conditions

    async def _new_tasks(self, head: Head, change: Change) -> list[Task]:
        """Return those tasks of *change* that are not stored yet.

        Raises:
            InvalidValue: The session names a task that it does not have.
        """
        if not change.tasks and change.session.enhancement_job_id is None:
            return []
        documents = await everything_in(self._driver, layout.TASKS, {"under": head.root})
        stored = {document.body["id"] for document in documents}
        check_task_named(change, stored=stored)
        return [task for task in change.tasks if task.id not in stored]

    def _belongings(
        self, change: Change, new_tasks: Iterable[Task], *, root: str, words: str
    ) -> list[Write]:
        tasks = (
            task_put(task, root, ABSENT) for task in {task.id: task for task in new_tasks}.values()
        )
        entries = (
            Put(layout.entry_key(root, entry.seq), {"under": root, "entry": entry_text(entry)})
            for entry in change.entries
        )
        utterances = (
            Put(
                layout.utterance_key(words, said.id),
                {**utterance_document(said, place=place), "under": words},
            )
            for place, said in {said.id: (place, said) for place, said in placed(change)}.values()
        )
        return [
            *(self._heads.check_size("entries", put) for put in entries),
            *(self._heads.check_size("utterances", put) for put in utterances),
            *(self._heads.check_size("tasks", put) for put in tasks),
        ]


def task_put(task: Task, root: str, expected: str) -> Put:
    """Return the write that stores *task*."""
    body = {**task_document(task), "under": root, "is_open": task.is_open}
    return Put(layout.task_key(root, task.id), body, expected)


def _standing(
    session: Session, stored: StoredDocument | None, missing: StoreError
) -> StoredDocument:
    """Return what *session* names, if it is there and its tenant's; or raise *missing*."""
    if stored is None or stored.body["tenant_id"] != session.tenant_id:
        raise missing
    return stored


def _template_key(template_id: str) -> DocumentKey:
    try:
        return layout.template_key(checked_id("session_template_id", template_id))
    except InvalidValue:
        raise TemplateNotFound(template_id) from None


def _claim(session: Session, room_name: str, claim: StoredDocument | None) -> Put:
    """Return the write that claims a room, where *claim* is what was read of it.

    Raises:
        InvalidValue: Another session has it.
    """
    if claim is not None:
        raise room_is_taken(room_name)
    return Put(layout.room_key(room_name), {"session_id": session.id}, ABSENT)


def _moved(head: Head, session: Session, claims: Sequence[StoredDocument | None]) -> list[Write]:
    """Return the writes that take a session from the room it has to the one it wants."""
    left, entered = head.body["room_name"], session.room_name
    if left == entered:
        return []
    writes: list[Write] = []
    if entered is not None:
        (claim,) = claims
        writes.append(_claim(session, entered, claim))
    if left is not None:
        writes.append(Delete(layout.room_key(left)))
    return writes
