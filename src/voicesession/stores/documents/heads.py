"""The head of a session: its snapshot as a document, whole again when it was too long for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from ...core.errors import InvalidValue, SessionNotFound
from ...core.identity import SessionId
from ...core.session import Session
from ...core.states import SessionState
from ...ports.documents import (
    ABSENT,
    MAX_BATCH,
    Body,
    Delete,
    DocumentDriver,
    DocumentKey,
    Put,
    RevisionConflict,
    StoredDocument,
    Write,
)
from ...ports.scope import Scope
from ..arguments import check_session_id
from ..codec import parse_session, session_document
from . import layout
from .requests import document_bytes

__all__ = ("Head", "Heads", "found", "is_session_id")

# A batch may weigh nine documents: these, the head, and as much again for the rest of a change.
_MOST_PIECES: Final = 7
_ROOM_FOR_NAMES: Final = 1_024


@frozen
class Head:
    """The head of a session as it was read."""

    stored: StoredDocument

    @property
    def body(self) -> Body:
        return self.stored.body

    @property
    def key(self) -> DocumentKey:
        return self.stored.key

    @property
    def id(self) -> SessionId:
        return SessionId(self.stored.key.id)

    @property
    def root(self) -> str:
        """Under which entries, tasks and long texts lie."""
        root: str = self.body["root"]
        return root

    @property
    def words(self) -> str:
        """Under which utterances lie."""
        words: str = self.body["words"]
        return words

    @property
    def seq(self) -> int:
        seq: int = self.body["seq"]
        return seq

    @property
    def epoch(self) -> int:
        epoch: int = self.body["epoch"]
        return epoch

    @property
    def pieces(self) -> int:
        """Into how many documents the final transcript was split; 0 if it stands here."""
        pieces: int = self.body["text_pieces"]
        return pieces

    @property
    def has_ended(self) -> bool:
        return bool(self.body["state"] == SessionState.ENDED)

    @property
    def listed_at(self) -> int:
        """By what lists are sorted, before the id."""
        listed_at: int = self.body["listed_at"]
        return listed_at

    def is_in(self, scope: Scope) -> bool:
        """Whether the session exists in *scope*."""
        return scope.tenant_id in (None, self.body["tenant_id"])

    def with_changes(self, fields: Mapping[str, Any]) -> Put:
        """Return the write that changes *fields*, if nobody else has written meanwhile."""
        return Put(self.key, _derived({**self.body, **fields}), self.stored.revision)


class Heads:
    """Reads heads, and makes the writes that store a session."""

    def __init__(self, driver: DocumentDriver) -> None:
        self._driver = driver

    async def of(self, session_id: SessionId, scope: Scope) -> Head:
        """Return the head of a session.

        Raises:
            SessionNotFound: There is none in *scope*.
        """
        check_session_id(session_id)
        (stored,) = await self._driver.get([layout.head_key(session_id)])
        return found(session_id, stored, scope)

    async def many(self, session_ids: Sequence[SessionId]) -> list[Head]:
        """Return the heads of those sessions that are there."""
        heads: list[Head] = []
        for start in range(0, len(session_ids), MAX_BATCH):
            keys = [layout.head_key(name) for name in session_ids[start : start + MAX_BATCH]]
            heads += [Head(stored) for stored in await self._driver.get(keys) if stored is not None]
        return heads

    async def session(self, head: Head) -> Session:
        """Return the session under *head*, with its whole transcript.

        Raises:
            RevisionConflict: The transcript was split, and has changed since.
        """
        if not head.pieces:
            return parse_session(head.body)
        keys = [layout.text_key(head.root, number) for number in range(head.pieces)]
        same, *pieces = await self._driver.get([head.key, *keys])
        if same is None or same.revision != head.stored.revision:
            raise RevisionConflict(head.key.collection, head.key.id)
        text = "".join("" if piece is None else piece.body["text"] for piece in pieces)
        return parse_session({**head.body, "transcript_final": text})

    def new(self, session: Session, *, root: str, words: str) -> list[Write]:
        """Return the writes that store *session* for the first time.

        Raises:
            InvalidValue: The medium cannot keep so long a record.
        """
        key = layout.head_key(session.id)
        body, texts = self._fitted(key, session, root=root, words=words)
        return [Put(key, body, ABSENT), *texts]

    def changed(self, head: Head, session: Session) -> list[Write]:
        """Return the writes that store *session* in place of what is under *head*.

        Raises:
            InvalidValue: As for `new`.
        """
        body, texts = self._fitted(head.key, session, root=head.root, words=head.words)
        outdated = range(len(texts), head.pieces)
        return [
            Put(head.key, body, head.stored.revision),
            *texts,
            *(Delete(layout.text_key(head.root, number)) for number in outdated),
        ]

    def check_size(self, field: str, put: Put) -> Put:
        """Return *put* if the medium can keep it.

        Raises:
            InvalidValue: It is too large; the error names *field*.
        """
        largest = self._driver.largest_document_bytes
        if largest is not None and (size := document_bytes(put.key, put.body)) > largest:
            raise InvalidValue(field, f"{size} bytes", f"at most {largest} bytes on this medium")
        return put

    def _fitted(
        self, key: DocumentKey, session: Session, *, root: str, words: str
    ) -> tuple[Body, list[Put]]:
        body = {**session_document(session), "root": root, "words": words, "text_pieces": 0}
        body = _derived(body)
        largest = self._driver.largest_document_bytes
        text = session.transcript_final
        if largest is None or text is None or document_bytes(key, body) <= largest:
            return self.check_size("session", Put(key, body)).body, []
        pieces = _pieces(text, largest - _ROOM_FOR_NAMES)
        if len(pieces) > _MOST_PIECES:
            size, most = len(text.encode()), _MOST_PIECES * (largest - _ROOM_FOR_NAMES)
            raise InvalidValue("transcript_final", f"{size} bytes", f"at most {most} bytes")
        body |= {"transcript_final": None, "text_pieces": len(pieces)}
        texts = [
            Put(layout.text_key(root, number), {"under": root, "text": piece})
            for number, piece in enumerate(pieces)
        ]
        return self.check_size("session", Put(key, body)).body, texts


def is_session_id(session_id: SessionId) -> bool:
    """Return whether a session may have this id."""
    try:
        check_session_id(session_id)
    except SessionNotFound:
        return False
    return True


def found(session_id: SessionId, stored: StoredDocument | None, scope: Scope) -> Head:
    """Return the head that was read for *session_id*.

    Raises:
        SessionNotFound: There is none in *scope*.
    """
    if stored is None or not (head := Head(stored)).is_in(scope):
        raise SessionNotFound(session_id)
    return head


def _derived(body: dict[str, Any]) -> dict[str, Any]:
    has_owner = body["worker_id"] is not None
    body["is_open"] = body["state"] != SessionState.ENDED
    body["look_at"] = body["lease_expires_at"] if has_owner else body["deadline_at"]
    return body


def _pieces(text: str, longest_bytes: int) -> list[str]:
    """Split *text* so that no piece is longer than *longest_bytes* in UTF-8."""
    data = text.encode()
    pieces: list[str] = []
    start = 0
    while start < len(data):
        end = min(start + longest_bytes, len(data))
        while end < len(data) and data[end] & 0b1100_0000 == 0b1000_0000:  # inside a character
            end -= 1
        pieces.append(data[start:end].decode())
        start = end
    return pieces
