"""What every part of the session store has at hand."""

from __future__ import annotations

from ...ports.documents import DocumentDriver
from .erasures import Erasures
from .forgetting import Forgetting
from .heads import Heads

__all__ = ("OnHeads",)


class OnHeads:
    """A part of a store that reads and writes the heads of sessions."""

    def __init__(self, driver: DocumentDriver, forgetting: Forgetting | None = None) -> None:
        self._driver = driver
        self._forgetting = forgetting
        self._heads = Heads(driver)
        self._erasures = Erasures(driver)
