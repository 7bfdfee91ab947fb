"""From text to what a model describes; whatever does not fit is a 400."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from ..core.errors import InvalidValue
from .refusals import BadRequest

__all__ = ("body_as", "query_as")

M = TypeVar("M", bound=BaseModel)

_JSON_TYPES: Final = ("application/json", "application/merge-patch+json")


def query_as(model: type[M], pairs: Iterable[tuple[str, str]]) -> M:
    """Return what the parameters of a URL say.

    Raises:
        BadRequest: One is not allowed, is given twice, or is none of the call's.
    """
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise BadRequest(name, "given once")
        given[name] = value
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _told(error) from None


def body_as(model: type[M], body: bytes, media_type: str) -> M:
    """Return what a body of JSON says; an empty one says ``{}``.

    Raises:
        BadRequest: It is no JSON, or not what the call takes.
    """
    if body and media_type.partition(";")[0].strip().lower() not in _JSON_TYPES:
        # A page of another site cannot send this type without being asked first.
        raise BadRequest("Content-Type", "application/json")
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise _told(error) from None


def _told(error: ValidationError) -> InvalidValue:
    """The first problem, without the value: that may be long, or a secret."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"]) or "body"
    return BadRequest(place, first["msg"])
