"""The templates of a server: what sessions of one kind begin with."""

from __future__ import annotations

from ..schemas.requests import NewTemplate, TemplatesQuery
from ..schemas.templates import TemplateDeleted, TemplatePage, TemplateRecord
from . import operations
from .connection import Connection

__all__ = ("Templates",)


class Templates:
    """``client.templates``; errors as everywhere in the client."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def create(self, wanted: NewTemplate) -> TemplateRecord:
        """Return a new template."""
        return (await self._connection.ask(operations.CREATE_TEMPLATE, body=wanted)).template

    async def find(self, query: TemplatesQuery | None = None) -> TemplatePage:
        """Return a page of templates, by id."""
        return await self._connection.ask(operations.FIND_TEMPLATES, query=query)

    async def get(self, template_id: str) -> TemplateRecord:
        """Return a template."""
        values = {"template_id": template_id}
        return (await self._connection.ask(operations.GET_TEMPLATE, values)).template

    async def replace(self, template_id: str, wanted: NewTemplate) -> TemplateRecord:
        """Put *wanted* in the place of a template; sessions that were made from it stay."""
        values = {"template_id": template_id}
        answer = await self._connection.ask(operations.REPLACE_TEMPLATE, values, body=wanted)
        return answer.template

    async def delete(self, template_id: str) -> TemplateDeleted:
        """Delete a template; sessions that were made from it go on."""
        values = {"template_id": template_id}
        return await self._connection.ask(operations.DELETE_TEMPLATE, values)
