"""Templates over documents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from attrs import evolve

from ...core.errors import InvalidValue, TemplateNotFound
from ...core.identity import checked_id
from ...core.templates import SessionTemplate, TemplateId
from ...ports.documents import (
    ABSENT,
    MAX_BATCH,
    Delete,
    DocumentDriver,
    DocumentQuery,
    Put,
    StoredDocument,
)
from ...ports.scope import Scope
from ..arguments import check_page
from ..changes import template_is_taken
from ..records import parse_template, template_document
from . import erasures, layout
from .contention import persistently
from .erasures import Erasures

__all__ = ("DocumentTemplates",)


class DocumentTemplates:
    """See `TemplateStore`."""

    def __init__(self, driver: DocumentDriver) -> None:
        self._driver = driver
        self._erasures = Erasures(driver)

    async def put(self, template: SessionTemplate, /) -> None:
        async def write() -> None:
            (stored,) = await self._driver.get([layout.template_key(template.id)])
            if stored is None:
                # Sessions that named an older one of this id must not come to name this one.
                await self._erasures.resume(erasures.template_named(template.id))
            elif stored.body["tenant_id"] != template.tenant_id:
                raise template_is_taken(template.id)
            await self._driver.write([_put(template, stored)])

        await persistently(write)

    async def get(self, template_id: TemplateId, /, scope: Scope) -> SessionTemplate:
        return parse_template((await self._stored(template_id, scope)).body)

    async def find(
        self, scope: Scope, /, *, after: TemplateId | None = None, limit: int = 100
    ) -> Sequence[SessionTemplate]:
        check_page(limit)
        everybodys = scope.tenant_id is None
        query = DocumentQuery(
            index=layout.EVERY_TEMPLATE if everybodys else layout.TEMPLATES_OF_TENANT,
            equal={} if everybodys else {"tenant_id": scope.tenant_id},
            after=None if after is None else ((), after),
        )
        found: list[SessionTemplate] = []
        while len(found) < limit:
            query = evolve(query, limit=min(MAX_BATCH, limit - len(found)))
            page = await self._driver.find(query)
            found += [parse_template(document.body) for document in page]
            if len(page) < query.limit:
                break
            query = evolve(query, after=((), page[-1].key.id))
        return tuple(found)

    async def delete(self, template_id: TemplateId, /, scope: Scope) -> None:
        """Remove the template at one instant, and then its name from sessions, in batches.

        Raises:
            StoreTimeout: Some sessions still name it; the same call goes on with it.
        """
        try:
            note = await persistently(partial(self._delete, template_id, scope))
        except TemplateNotFound:
            if not await self._erasures.resume(erasures.template_named(template_id), scope):
                raise
        else:
            await self._erasures.finish(note)

    async def _delete(self, template_id: TemplateId, scope: Scope) -> Put:
        stored = await self._stored(template_id, scope)
        note = erasures.of_template(template_id, stored.body["tenant_id"])
        await self._driver.write([Delete(stored.key, stored.revision), note])
        return note

    async def _stored(self, template_id: TemplateId, scope: Scope) -> StoredDocument:
        try:
            key = layout.template_key(checked_id("template_id", template_id))
        except InvalidValue:
            raise TemplateNotFound(template_id) from None
        (stored,) = await self._driver.get([key])
        if stored is None or scope.tenant_id not in (None, stored.body["tenant_id"]):
            raise TemplateNotFound(template_id)
        return stored


def _put(template: SessionTemplate, stored: StoredDocument | None) -> Put:
    body: dict[str, Any] = template_document(template)
    if stored is not None:
        body["created_at"] = stored.body["created_at"]
    key = layout.template_key(template.id)
    return Put(key, body, ABSENT if stored is None else stored.revision)
