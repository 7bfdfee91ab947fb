"""Google's client library, the extra ``firestore``: no other module imports it."""

from __future__ import annotations

from typing import Any, Final, cast

try:
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.firestore import AsyncClient
    from google.cloud.firestore_v1 import types
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f'Firestore needs {error.name}: pip install "voicesession[firestore]"', name=error.name
    ) from error

__all__ = (
    "AsyncClient",
    "DocumentPb",
    "GoogleAuthError",
    "Int32ValuePb",
    "TimestampPb",
    "ValuePb",
    "exceptions",
    "message_in",
    "types",
    "wrapped",
)


# No checker can follow the types of the library's messages, so they stop here.
_DOCUMENT: Final[Any] = types.Document


def message_in(wrapper: Any) -> Any:
    """Return the message that the library has wrapped so."""
    kind = cast(Any, type(wrapper))
    return kind.pb(wrapper)


def wrapped(document: Any) -> types.Document:
    """Return a document's message as the library takes it within another."""
    return cast(types.Document, _DOCUMENT.wrap(document))


# To fill a document through its wrappers takes five times as long as these.
DocumentPb: Final = cast(Any, type(message_in(types.Document())))
ValuePb: Final = cast(Any, type(message_in(types.Value())))
Int32ValuePb: Final = cast(Any, type(message_in(types.StructuredQuery()).limit))
TimestampPb: Final = cast(Any, type(DocumentPb().update_time))
