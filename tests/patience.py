"""How long a test waits for what must come."""

from __future__ import annotations

from typing import Final

__all__ = ("PATIENCE_S",)

# Far more than a machine needs that is given half a core: a test that passes waits for none of it.
PATIENCE_S: Final = 60
