"""From text to what a model describes; whatever does not fit is a 400."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from types import MappingProxyType
from typing import Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from ..schemas.refusals import BadRequest

__all__ = ("body_as", "query_as", "refusal_of")

M = TypeVar("M", bound=BaseModel)

_LONGEST_PLACE: Final = 80
_IT_IS: Final = re.compile(r"^(Input should be|Invalid) ")
_SHOULD: Final = re.compile(r" should (have|match)(?= )")
_ALLOWED: Final = MappingProxyType(
    {
        "extra_forbidden": "only what is documented",
        "missing": "a value, and there is none",
        "union_tag_invalid": "a type that is documented",
        "union_tag_not_found": "an object with a type",
    }
)
"""By the kind of the problem, where pydantic says it in words that quote, or that do not fit."""

_JSON_TYPES: Final = ("application/json", "application/merge-patch+json")


def query_as(model: type[M], pairs: Sequence[tuple[str, str]]) -> M:
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
        return model.model_validate(given) if given else _unsaid(model)
    except ValidationError as error:
        raise refusal_of(error, whole="query") from None


def body_as(model: type[M], body: bytes, media_type: str) -> M:
    """Return what a body of JSON says; an empty one says ``{}``.

    Raises:
        BadRequest: It is no JSON, or not what the call takes.
    """
    if body and media_type.partition(";")[0].strip().lower() not in _JSON_TYPES:
        # A page of another site cannot send this type without being asked first.
        raise BadRequest("Content-Type", "application/json")
    try:
        return model.model_validate_json(body) if body else _unsaid(model)
    except ValidationError as error:
        raise refusal_of(error, whole="body") from None


def _unsaid(model: type[M]) -> M:
    """What is meant where nothing is said; most calls say nothing, and mean the same."""
    return cast("M", _defaults(model))


@cache
def _defaults(model: type[BaseModel]) -> BaseModel:
    return model.model_validate({})


def refusal_of(error: ValidationError, *, whole: str) -> BadRequest:
    """Return what is told of the first problem: never the value, which may be somebody's words.

    Args:
        whole: What it is called, where no part of it is at fault.
    """
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"]) or whole
    told = _SHOULD.sub(" of", _IT_IS.sub("", first["msg"]))
    return BadRequest(place[:_LONGEST_PLACE], _ALLOWED.get(first["type"], told))
