"""What the browser's module knows of the protocol, written from the models of the messages."""

from __future__ import annotations

import json
from typing import Any, Final, get_args

from ...core.backoff import Backoff
from ...schemas.messages import CLOSE_CODES, ClientMessage, ServerMessage
from ...schemas.requests import NewSession
from ..statuses import CloseCode

__all__ = ("constants_module",)

_BACKOFF: Final = Backoff(retries=10, first_us=250_000, longest_us=5_000_000)
_US_PER_MS: Final = 1_000
_SUBPROTOCOL: Final = "voicesession"

_MAY_COME_BACK: Final = (
    CloseCode.ENDED,
    1001,
    1005,
    1006,
    CloseCode.INTERNAL,
    CloseCode.DRAINING,
    CloseCode.TOO_SLOW,
)
"""Closes that say nothing about the session: it waits for its client."""

_HEAD: Final = """\
// Written from the models of voicesession by constants_module(); a test holds it equal.
"""


def constants_module() -> str:
    """Return the text of ``constants.js``."""
    values: dict[str, Any] = {
        "SERVER_MESSAGES": _types(ServerMessage),
        "CLIENT_MESSAGES": _types(ClientMessage),
        "CLOSE_CODES": {str(code): meaning for code, meaning in CLOSE_CODES.items()},
        "MAY_COME_BACK": [int(code) for code in _MAY_COME_BACK],
        "SUBPROTOCOL": _SUBPROTOCOL,
        "SAMPLE_RATE": NewSession.model_fields["sample_rate"].default,
        "RETRIES": _BACKOFF.retries,
        "FIRST_DELAY_MS": _BACKOFF.first_us // _US_PER_MS,
        "LONGEST_DELAY_MS": _BACKOFF.longest_us // _US_PER_MS,
        "JITTER": _BACKOFF.jitter,
    }
    lines = (
        f"export const {name} = Object.freeze({json.dumps(value, indent=2)});\n"
        for name, value in values.items()
    )
    return _HEAD + "\n" + "\n".join(lines)


def _types(union: Any) -> list[str]:
    return [model.model_fields["type"].default for model in get_args(get_args(union)[0])]
