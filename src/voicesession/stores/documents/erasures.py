"""
Erasing what is invisible already, in batches, and again from where it broke off.

What has to be erased is noted in the same batch that makes it invisible. Only when all of it
is gone is the note removed, so whoever dies in between leaves it to the next one: to a repeat
of the same call, or to whoever opens the storage next.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors import StoreTimeout, StoreUnavailable
from ...core.identity import TenantId
from ...ports.documents import (
    MAX_BATCH,
    Body,
    Delete,
    DocumentDriver,
    DocumentKey,
    DocumentQuery,
    Index,
    Put,
    StoredDocument,
)
from ...ports.scope import EVERYTHING, Scope
from . import layout
from .bulk import everything_in, write_each
from .heads import Head

__all__ = (
    "Erasures",
    "of_session",
    "of_template",
    "of_words",
    "session_named",
    "template_named",
)


def of_session(head: Head) -> Put:
    """Return the note that everything under *head* is to be erased."""
    return _note(
        session_named(head.id),
        head.body["tenant_id"],
        root=head.root,
        words=head.words,
        entries=head.seq,
        texts=head.pieces,
    )


def of_words(head: Head) -> Put:
    """Return the note that the utterances under *head* are to be erased."""
    return _note(f"words of {head.id}", head.body["tenant_id"], words=head.words)


def of_template(template_id: str, tenant_id: TenantId) -> Put:
    """Return the note that sessions must no longer name a template."""
    return _note(template_named(template_id), tenant_id, template_id=template_id)


def session_named(session_id: str) -> str:
    """Return what notes on a session belong to."""
    return f"session {session_id}"


def template_named(template_id: str) -> str:
    """Return what notes on a template belong to."""
    return f"template {template_id}"


class Erasures:
    """Does what is noted."""

    def __init__(self, driver: DocumentDriver) -> None:
        self._driver = driver

    async def finish(self, note: Put) -> None:
        """Erase what *note* says, and what older notes on the same thing say.

        Raises:
            StoreTimeout: Not all of it is erased yet; it is invisible all the same.
        """
        await self.resume(note.body["belongs_to"])

    async def resume(self, belongs_to: str, scope: Scope = EVERYTHING) -> bool:
        """Erase what is noted of *belongs_to* in *scope*; return whether anything was.

        Raises:
            StoreTimeout: As for `finish`.
        """
        try:
            equal = {"belongs_to": belongs_to}
            notes = await everything_in(self._driver, layout.UNERASED, equal)
            notes = [note for note in notes if scope.tenant_id in (None, note.body["tenant_id"])]
            await self._erase(notes)
        except StoreUnavailable as error:
            raise StoreTimeout(
                "it is gone, but not every document of it is erased yet: do the same again"
            ) from error
        return bool(notes)

    async def resume_all(self) -> None:
        """Erase everything that is noted."""
        await self._erase(await everything_in(self._driver, layout.EVERY_ERASURE, {}))

    async def _erase(self, notes: Sequence[StoredDocument]) -> None:
        for note in notes:
            body = note.body
            if body["root"] is not None:
                await self._delete([*_entries(body), *_texts(body)])
                await self._delete_all(layout.TASKS, body["root"])
            if body["words"] is not None:
                await self._delete_all(layout.WORDS, body["words"])
            if body["template_id"] is not None:
                await self._unname(body["template_id"])
            await self._delete([note.key])

    async def _delete(self, keys: Sequence[DocumentKey]) -> None:
        for start in range(0, len(keys), MAX_BATCH):
            await self._driver.write([Delete(key) for key in keys[start : start + MAX_BATCH]])

    async def _delete_all(self, index: Index, under: str) -> None:
        query = DocumentQuery(index=index, equal={"under": under})
        while documents := await self._driver.find(query):
            await self._delete([document.key for document in documents])

    async def _unname(self, template_id: str) -> None:
        query = DocumentQuery(
            index=layout.SESSIONS_OF_TEMPLATE, equal={"session_template_id": template_id}
        )
        while documents := await self._driver.find(query):
            nameless = {"session_template_id": None}
            writes = [Head(document).with_changes(nameless) for document in documents]
            await write_each(self._driver, writes)


def _entries(body: Body) -> list[DocumentKey]:
    return [layout.entry_key(body["root"], seq) for seq in range(1, body["entries"] + 1)]


def _texts(body: Body) -> list[DocumentKey]:
    return [layout.text_key(body["root"], number) for number in range(body["texts"])]


def _note(
    belongs_to: str,
    tenant_id: TenantId,
    *,
    root: str | None = None,
    words: str | None = None,
    entries: int = 0,
    texts: int = 0,
    template_id: str | None = None,
) -> Put:
    body = {
        "belongs_to": belongs_to,
        "tenant_id": tenant_id,
        "root": root,
        "words": words,
        "entries": entries,
        "texts": texts,
        "template_id": template_id,
    }
    return Put(layout.erasure_key(layout.drawn()), body)
