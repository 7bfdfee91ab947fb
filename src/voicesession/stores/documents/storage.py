"""The whole storage over any document driver."""

from __future__ import annotations

from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from ...core.errors import InvalidValue
from ...ports.documents import DocumentDriver, ForgetfulDriver
from .erasures import Erasures
from .forgetting import Forgetting
from .layout import INDEXES
from .ledger import DocumentLedger
from .sessions import DocumentSessions
from .tasks import DocumentTasks
from .templates import DocumentTemplates
from .transcripts import DocumentTranscripts

__all__ = ("DocumentStorage",)

_MOST_SHARDS: Final = 50
"""An entry may touch several lines of a tenant, and a batch holds 500 documents."""


class DocumentStorage:
    """Keeps everything in documents of *driver*, which it opens and closes.

    What it can do where the driver runs. How durable it is, is the driver's to say.

    A change is written in one batch, so it may come to at most 500 documents: each journal
    entry, utterance and task is one, and so is the session. A larger one is refused and
    nothing of it is written. So is whatever the driver's largest document cannot hold, except
    the final transcript, which is split.

    Args:
        shards: Over how many documents each line of a tenant's budget is spread. One is best
            where documents are written quickly. On Firestore, which writes a document about
            once a second, a tenant with many live sessions needs more. Near a limit all of
            them are written together, so that the limit holds exactly. It may be raised
            later while nobody has the storage open, and never lowered.

        ttl_after_end: How long after its last write a session that has ended is forgotten by
            the medium, unless it is under a legal hold; None leaves that to its retention.
            What is forgotten leaves no tombstone, and its recording stays where it is, so let
            it be longer than any retention. For a `ForgetfulDriver`, such as that of Redis.

    Raises:
        InvalidValue: *shards* is not 1 to 50; *ttl_after_end* is no time at all, or *driver*
            cannot forget.
    """

    def __init__(
        self, driver: DocumentDriver, *, shards: int = 1, ttl_after_end: timedelta | None = None
    ) -> None:
        if not 1 <= shards <= _MOST_SHARDS:
            raise InvalidValue("shards", shards, f"1 to {_MOST_SHARDS}")
        forgetting = None if ttl_after_end is None else _forgetting(driver, ttl_after_end)
        driver.declare(INDEXES)
        self._driver = driver
        self.sessions = DocumentSessions(driver, forgetting)
        self.transcripts = DocumentTranscripts(driver)
        self.templates = DocumentTemplates(driver)
        self.tasks = DocumentTasks(driver)
        self.ledger = DocumentLedger(driver, shards=shards)

    async def __aenter__(self) -> Self:
        """Open the driver, and erase what was deleted by somebody who then died."""
        await self._driver.__aenter__()
        try:
            await Erasures(self._driver).resume_all()
        except BaseException as error:
            await self._driver.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        await self._driver.__aexit__(exc_type, exc, traceback)


def _forgetting(driver: DocumentDriver, after: timedelta) -> Forgetting:
    if not isinstance(driver, ForgetfulDriver):
        raise InvalidValue("ttl_after_end", after, "None: this medium cannot forget by itself")
    return Forgetting(driver, after)
