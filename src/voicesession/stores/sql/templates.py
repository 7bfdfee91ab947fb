"""Session templates in a relational database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import String, bindparam, delete, func, or_, select

from ...core.errors import TemplateNotFound
from ...core.templates import SessionTemplate, TemplateId
from ...ports.scope import Scope
from ..arguments import check_page
from ..changes import template_is_taken
from ..codec import Document
from ..records import parse_template, template_document
from .database import Database, Script
from .schema import TEMPLATES
from .statement import Statement, all_of, first, names_of

__all__ = ("TEMPLATE_IS_THERE", "SqlTemplates")

_T: Final = TEMPLATES.c
_OF_TENANT: Final = bindparam("of_tenant", type_=String())
_IN_SCOPE: Final = func.coalesce(_OF_TENANT, _T.tenant_id) == _T.tenant_id
_IS_IT: Final = _T.id == bindparam("template_id")
_AFTER: Final = bindparam("after", type_=String())

_FOUND: Final = frozenset({"id", "tenant_id", "created_at"})
"""Columns that putting a template once more leaves as they are."""

TEMPLATE_IS_THERE: Final = Statement(lambda _: select(_T.id).where(_IS_IT, _IN_SCOPE))
_TENANT_OF: Final = Statement(lambda _: select(_T.tenant_id).where(_IS_IT))
_PUT: Final = Statement(
    lambda sql: sql.upsert(
        TEMPLATES, ["id"], [name for name in names_of(TEMPLATES) if name not in _FOUND]
    )
)
_GET: Final = Statement(lambda sql: select(*all_of(sql, TEMPLATES)).where(_IS_IT, _IN_SCOPE))
_FIND: Final = Statement(
    lambda sql: first(
        select(*all_of(sql, TEMPLATES))
        .where(_IN_SCOPE, or_(_AFTER.is_(None), _T.id > _AFTER))
        .order_by(_T.id)
    )
)
_DELETE: Final = Statement(lambda _: delete(TEMPLATES).where(_IS_IT, _IN_SCOPE).returning(_T.id))


class SqlTemplates:
    """See `TemplateStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, template: SessionTemplate, /) -> None:
        await self._database.write(lambda: _put(template))

    async def get(self, template_id: TemplateId, /, scope: Scope) -> SessionTemplate:
        return await self._database.ask(lambda: _get(template_id, scope))

    async def find(
        self, scope: Scope, /, *, after: TemplateId | None = None, limit: int = 100
    ) -> Sequence[SessionTemplate]:
        check_page(limit)
        return await self._database.ask(lambda: _find(scope, after, limit))

    async def delete(self, template_id: TemplateId, /, scope: Scope) -> None:
        await self._database.write(lambda: _delete(template_id, scope))


def _put(template: SessionTemplate) -> Script[None]:
    stored = yield _TENANT_OF, {"template_id": template.id}
    if stored and stored[0]["tenant_id"] != template.tenant_id:
        raise template_is_taken(template.id)
    yield _PUT, template_document(template)


def _get(template_id: TemplateId, scope: Scope) -> Script[SessionTemplate]:
    found = yield _GET, _named(template_id, scope)
    if not found:
        raise TemplateNotFound(template_id)
    return parse_template(found[0])


def _find(
    scope: Scope, after: TemplateId | None, limit: int
) -> Script[tuple[SessionTemplate, ...]]:
    found = yield _FIND, {"of_tenant": scope.tenant_id, "after": after, "at_most": limit}
    return tuple(parse_template(row) for row in found)


def _delete(template_id: TemplateId, scope: Scope) -> Script[None]:
    if not (yield _DELETE, _named(template_id, scope)):
        raise TemplateNotFound(template_id)


def _named(template_id: TemplateId, scope: Scope) -> Document:
    return {"template_id": template_id, "of_tenant": scope.tenant_id}
