"""What a commit does in its transaction: the rules are in `voicesession.stores.changes`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    String,
    and_,
    bindparam,
    func,
    insert,
    null,
    select,
    update,
)

from ...core.errors import SessionExists, SessionNotFound, TemplateNotFound
from ...core.identity import SessionId
from ...core.session import Session
from ...core.states import SessionState
from ...ports.scope import Scope
from ...ports.storage import Change
from ..arguments import check_session_id
from ..changes import (
    COUNTED,
    FIXED,
    LEASE,
    check_standing,
    check_task_named,
    created,
    placed,
    room_is_taken,
)
from ..codec import (
    Document,
    Stored,
    entry_text,
    session_document,
    session_part,
    stored_names,
    utterance_document,
)
from ..records import task_document
from .admission import admitted
from .database import Script
from .schema import JOURNAL, SESSIONS, TASKS, UTTERANCES
from .statement import Statement, names_of, stored
from .templates import TEMPLATE_IS_THERE

__all__ = (
    "ADD_TASK",
    "INSERT_ENTRY",
    "PUT_UTTERANCE",
    "THE_SESSION",
    "as_expected",
    "change_row",
    "changed_names",
    "commit",
    "entry_rows",
    "named",
    "standing",
    "task_rows",
    "utterance_rows",
)

_S: Final = SESSIONS.c
_IS_IT: Final = _S.id == bindparam("session_id")

_IN_LISTS: Final = ("state", "status", "listed_at", "room_name", "enhancement_job_id")
"""What indexes hold and few commits change: left out, it costs no index anything."""

THE_SESSION: Final = and_(
    _IS_IT, func.coalesce(bindparam("of_tenant", type_=String()), _S.tenant_id) == _S.tenant_id
)
"""The session with this id, if it is in the scope."""

_STANDING: Final = Statement(
    lambda _: select(_S.seq, _S.epoch, _S.state).where(THE_SESSION).with_for_update(key_share=True)
)
_ID_IS_TAKEN: Final = Statement(lambda _: select(_S.id).where(_IS_IT))
_IS_THERE: Final = Statement(lambda _: select(_S.id).where(THE_SESSION))
_ROOM_IS_TAKEN: Final = Statement(
    lambda _: select(_S.id).where(
        _S.room_name == bindparam("room"), _S.id != bindparam("session_id")
    )
)
_TASKS_OF: Final = Statement(
    lambda _: select(TASKS.c.id).where(TASKS.c.session_id == bindparam("session_id"))
)
_INSERT: Final = Statement(
    lambda sql: insert(SESSIONS).values(stored(sql, SESSIONS, names_of(SESSIONS)))
)


def changed_names(*, by_owner: bool) -> list[str]:
    """Return the columns that a later commit writes."""
    left_out = stored_names(FIXED | LEASE if by_owner else FIXED | LEASE | COUNTED)
    return [name for name in names_of(SESSIONS) if name not in left_out]


_changed_part: Final = session_part(changed_names(by_owner=True))


def as_expected(*, by_owner: bool) -> ColumnElement[bool]:
    """Return whether a session stands as the `change_row` of a commit expects it."""
    expected = [
        _S.tenant_id == bindparam("of_tenant"),
        _S.seq == bindparam("expected_seq", type_=BigInteger()),
    ]
    if by_owner:
        expected.append(_S.epoch == bindparam("of_epoch", type_=BigInteger()))
    return and_(*expected)


def _update(*, by_owner: bool) -> Statement:
    names = changed_names(by_owner=by_owner)
    return Statement(
        lambda sql: update(SESSIONS).where(_IS_IT).values(stored(sql, SESSIONS, names))
    )


def _swap(*, by_owner: bool) -> Statement:
    names = [name for name in changed_names(by_owner=by_owner) if name not in _IN_LISTS]
    stays = (_S[name].is_not_distinct_from(bindparam(name)) for name in _IN_LISTS)
    is_swapped = and_(_IS_IT, as_expected(by_owner=by_owner), *stays)
    return Statement(
        lambda sql: sql.telling(
            update(SESSIONS).where(is_swapped).values(stored(sql, SESSIONS, names))
        )
    )


_UPDATES: Final = {by_owner: _update(by_owner=by_owner) for by_owner in (False, True)}
_SWAPS: Final = {by_owner: _swap(by_owner=by_owner) for by_owner in (False, True)}
_DROP_LEASE: Final = Statement(
    lambda _: update(SESSIONS).where(_IS_IT).values(worker_id=null(), lease_expires_at=null())
)
INSERT_ENTRY: Final = Statement(
    lambda sql: insert(JOURNAL).values(stored(sql, JOURNAL, names_of(JOURNAL)))
)
PUT_UTTERANCE: Final = Statement(
    lambda sql: sql.upsert(UTTERANCES, ["session_id", "id"], names_of(UTTERANCES)[2:])
)
ADD_TASK: Final = Statement(lambda sql: sql.upsert(TASKS, ["session_id", "id"], []))


def commit(change: Change) -> Script[None]:
    """Write *change*.

    Raises:
        VoiceSessionError: As `SessionStore.commit` says.
    """
    if change.expected_seq is None:
        yield from _create(change)
    else:
        yield from _change(change)
    if change.entries:
        yield INSERT_ENTRY, entry_rows(change)
    if change.utterances:
        yield PUT_UTTERANCE, utterance_rows(change)
    if change.tasks:
        yield ADD_TASK, task_rows(change)
    if change.session.state is SessionState.ENDED:
        yield _DROP_LEASE, {"session_id": change.session.id}


def change_row(change: Change) -> Document:
    """Return the session that *change* writes, and what it expects of the stored one."""
    session = change.session
    row = _changed_part(session)
    row |= {
        "session_id": session.id,
        "of_tenant": session.tenant_id,
        "expected_seq": change.expected_seq,
        "of_epoch": change.epoch,
        "by_owner": change.epoch is not None,
    }
    return row


def entry_rows(change: Change) -> list[Document]:
    """Return the rows of the journal that *change* brings."""
    session_id = change.session.id
    return [
        {"session_id": session_id, "seq": entry.seq, "entry": entry_text(entry)}
        for entry in change.entries
    ]


def utterance_rows(change: Change) -> list[Document]:
    """Return the rows of words that *change* brings."""
    session_id = change.session.id
    return [
        {"session_id": session_id, **utterance_document(said, place=place)}
        for place, said in placed(change)
    ]


def task_rows(change: Change) -> list[Document]:
    """Return the rows of tasks that *change* brings."""
    return [task_document(task) for task in change.tasks]


def named(session_id: SessionId, scope: Scope) -> Document:
    """Return what names a session in a statement.

    Raises:
        SessionNotFound: No session can have this id.
    """
    check_session_id(session_id)
    return {"session_id": session_id, "of_tenant": scope.tenant_id}


def standing(name: Document) -> Script[Stored]:
    """Return where a session stands, its seq, epoch and state, and keep other writers from it.

    Raises:
        SessionNotFound: There is none in the scope.
    """
    found = yield _STANDING, name
    if not found:
        raise SessionNotFound(name["session_id"])
    return found[0]


def _create(change: Change) -> Script[None]:
    session = change.session
    if (yield _ID_IS_TAKEN, {"session_id": session.id}):
        raise SessionExists(session.id)
    home = Scope(session.tenant_id)
    previous, template_id = session.previous_session_id, session.session_template_id
    if previous is not None and not (yield _IS_THERE, named(previous, home)):
        raise SessionNotFound(previous)
    if template_id is not None:
        wanted = {"template_id": template_id, "of_tenant": home.tenant_id}
        if not (yield TEMPLATE_IS_THERE, wanted):
            raise TemplateNotFound(template_id)
    yield from _check_room(session)
    check_task_named(change, stored=())
    yield from admitted(change)
    yield _INSERT, session_document(created(session))


def _change(change: Change) -> Script[None]:
    document = change_row(change)
    by_owner = document["by_owner"]
    # Nearly always all is as expected, and nothing in lists moves: then there is nothing to read.
    if (yield _SWAPS[by_owner], document):
        return
    stands = yield from standing(document)
    check_standing(change, seq=stands["seq"], epoch=stands["epoch"])
    yield from _check_room(change.session)
    yield from _check_task(change)
    yield _UPDATES[by_owner], document


def _check_task(change: Change) -> Script[None]:
    if change.session.enhancement_job_id is not None:
        tasks = yield _TASKS_OF, {"session_id": change.session.id}
        check_task_named(change, stored={row["id"] for row in tasks})


def _check_room(session: Session) -> Script[None]:
    if session.room_name is not None:
        values = {"session_id": session.id, "room": session.room_name}
        if (yield _ROOM_IS_TAKEN, values):
            raise room_is_taken(session.room_name)
