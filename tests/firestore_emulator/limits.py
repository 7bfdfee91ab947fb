"""
What Firestore refuses of a document or a request, and how it says so.

https://firebase.google.com/docs/firestore/quotas#limits
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from grpc import StatusCode

from .values import Value, field_bytes, name_bytes, value_bytes

__all__ = ("MAX_DOCUMENT_BYTES", "MAX_REQUEST_BYTES", "Refusal", "check_document", "check_request")

MAX_DOCUMENT_BYTES: Final = 1_048_576
MAX_REQUEST_BYTES: Final = 10 * 1_048_576
_MAX_WRITES: Final = 500
_MAX_ID_BYTES: Final = 1_500
_MAX_NAME_BYTES: Final = 6 * 1_024
_MAX_FIELD_NAME_BYTES: Final = 1_500
_MAX_VALUE_BYTES: Final = MAX_DOCUMENT_BYTES - 89
_MAX_DEPTH: Final = 20
_RESERVED: Final = re.compile(r"__.*__", re.DOTALL)


class Refusal(Exception):
    """A request that is answered with an error; it has changed nothing."""

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


def invalid(message: str) -> Refusal:
    """Return the refusal of a request that could never be done."""
    return Refusal(StatusCode.INVALID_ARGUMENT, message)


def check_request(request: Any) -> None:
    """Do nothing if *request* is not too large.

    Raises:
        Refusal: It is.
    """
    size = request.ByteSize()
    if size > MAX_REQUEST_BYTES:
        raise invalid(
            f"Request payload size exceeds the limit: {MAX_REQUEST_BYTES} bytes (got {size})."
        )
    if len(getattr(request, "writes", ())) > _MAX_WRITES:
        raise invalid(f"maximum {_MAX_WRITES} writes allowed per request")


def check_name(name: str, database: str) -> None:
    """Do nothing if a document of *database* may have this name.

    Raises:
        Refusal: None may.
    """
    root, separator, path = name.partition("/documents/")
    parts = path.split("/")
    if root != database or not separator or len(parts) % 2:
        raise invalid(f'Document name "{name}" is not of the form {database}/documents/…')
    if len(name.encode()) > _MAX_NAME_BYTES:
        raise invalid(f"Document name exceeds {_MAX_NAME_BYTES} bytes.")
    for part in parts:
        if part in ("", ".", "..") or _RESERVED.fullmatch(part):
            raise invalid(f'Resource id "{part}" is invalid because it is reserved.')
        if len(part.encode()) > _MAX_ID_BYTES:
            raise invalid(f"The key path element name is longer than {_MAX_ID_BYTES} bytes.")


def check_document(name: str, fields: Mapping[str, Value], database: str) -> None:
    """Do nothing if such a document may be kept.

    Raises:
        Refusal: Its name, a field or its size is not allowed.
    """
    check_name(name, database)
    _check_fields(fields, depth=1)
    size = name_bytes(name) + 32 + field_bytes(fields)
    if size > MAX_DOCUMENT_BYTES:
        raise invalid(
            f"Document '{name}' cannot be written because its size ({size} bytes) exceeds "
            f"the maximum allowed size of {MAX_DOCUMENT_BYTES} bytes."
        )


def _check_fields(fields: Mapping[str, Value], *, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise invalid(f"Property contains an entity nested deeper than {_MAX_DEPTH} levels.")
    for name, value in fields.items():
        if not name or _RESERVED.fullmatch(name):
            raise invalid(f'Property name "{name}" is reserved.')
        if len(name.encode()) > _MAX_FIELD_NAME_BYTES:
            raise invalid(f"Property name is longer than {_MAX_FIELD_NAME_BYTES} bytes.")
        _check_value(name, value, depth=depth)


def _check_value(name: str, value: Value, *, depth: int) -> None:
    kind = value.WhichOneof("value_type")
    if kind is None:
        raise invalid(f'The value of property "{name}" is missing.')
    if value_bytes(value) > _MAX_VALUE_BYTES:
        raise invalid(f'The value of property "{name}" is longer than {_MAX_VALUE_BYTES} bytes.')
    if kind == "map_value":
        _check_fields(value.map_value.fields, depth=depth + 1)
    if kind == "array_value":
        for item in value.array_value.values:
            if item.WhichOneof("value_type") == "array_value":
                raise invalid("Cannot convert an array value in an array value.")
            _check_value(name, item, depth=depth + 1)
