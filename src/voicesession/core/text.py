"""
What a text must be before it goes further: every store and every wire can carry it.

Whoever builds an utterance from what came in (a recogniser, an agent, a client, a host)
passes it through here once; behind that door nobody looks again.
"""

from __future__ import annotations

from .errors import InvalidValue

__all__ = ("storable_text",)


def storable_text(text: str, field: str = "text") -> str:
    """Return *text* as it is.

    Raises:
        InvalidValue: It holds a NUL character, which PostgreSQL refuses together with
            everybody's rows of the same batch, or a lone surrogate, which has no UTF-8.
    """
    if "\0" in text:
        raise InvalidValue(field, text, "text without NUL characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValue(field, text, "text without lone surrogates") from None
    return text
