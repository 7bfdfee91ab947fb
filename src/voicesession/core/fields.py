"""
What a field of a value may hold: the checks that all values share.

Whatever is refused is an InvalidValue that names the field, the value and what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NoReturn

from .errors import InvalidValue
from .text import storable_text

__all__ = ("Vocabulary", "is_count", "is_flag", "is_text", "naming_fields")

_LARGEST_STORED: Final = 2**63 - 1


class Vocabulary(StrEnum):
    """A closed list of words: another word is an `InvalidValue` that lists them."""

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise InvalidValue(cls.__name__, value, ", ".join(cls))


def is_text(_instance: object, attribute: Any, value: Any) -> None:
    """Attrs validator: text that `storable_text` takes.

    Raises:
        InvalidValue: It is something else.
    """
    if not isinstance(value, str):
        raise InvalidValue(attribute.name, value, "text")
    storable_text(value, attribute.name)


def is_count(_instance: object, attribute: Any, value: Any) -> None:
    """Attrs validator: a whole number that is not negative and that every store can keep.

    Raises:
        InvalidValue: It is something else; a bool and a float are no counts.
    """
    if type(value) is not int or not 0 <= value <= _LARGEST_STORED:
        raise InvalidValue(attribute.name, value, "a whole number from 0 to 2^63 - 1")


def is_flag(_instance: object, attribute: Any, value: Any) -> None:
    """Attrs validator: a bool, and not something that could pass for one.

    Raises:
        InvalidValue: It is something else.
    """
    if type(value) is not bool:
        raise InvalidValue(attribute.name, value, "true or false")


def naming_fields(_owner: type, attributes: list[Any]) -> list[Any]:
    """Attrs hook (``field_transformer``): what a converter refuses is told by the field's name.

    A converter sees a value and not where it will stand, so by itself it can only say
    "instant" where a caller with twelve of them needs ``token_expiry``.
    """
    return [
        attribute.evolve(converter=_naming(attribute.name, attribute.converter))
        if attribute.converter and not attribute.inherited
        else attribute
        for attribute in attributes
    ]


def _naming(name: str, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert_for(value: Any) -> Any:
        try:
            return convert(value)
        except InvalidValue as refusal:
            raise InvalidValue(name, value, refusal.allowed) from None

    return convert_for
