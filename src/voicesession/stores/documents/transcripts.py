"""The words of sessions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ...core.identity import SessionId
from ...core.utterance import Utterance
from ...ports.documents import Put, RevisionConflict, StoredDocument
from ...ports.scope import Scope
from ..arguments import check_session_id
from ..codec import parse_utterance
from . import erasures, layout
from .bulk import everything_in
from .contention import persistently
from .onheads import OnHeads

__all__ = ("DocumentTranscripts",)


class DocumentTranscripts(OnHeads):
    """See `TranscriptStore`."""

    async def utterances(self, session_id: SessionId, /, scope: Scope) -> Sequence[Utterance]:
        return await persistently(partial(self._utterances, session_id, scope))

    async def delete_utterances(self, session_id: SessionId, /, scope: Scope) -> None:
        """Forget the words: invisible at one instant, and then erased in batches.

        Raises:
            StoreTimeout: Not all of them are erased yet; the same call goes on with it.
        """
        check_session_id(session_id)
        await self._erasures.finish(await persistently(partial(self._forget, session_id, scope)))

    async def _utterances(self, session_id: SessionId, scope: Scope) -> Sequence[Utterance]:
        head = await self._heads.of(session_id, scope)
        documents = await everything_in(self._driver, layout.WORDS, {"under": head.words})
        now = await self._heads.of(session_id, scope)
        if now.words != head.words:  # what was read is being erased
            raise RevisionConflict(head.key.collection, head.id)
        documents.sort(key=_in_transcript)
        return tuple(parse_utterance(document.body) for document in documents)

    async def _forget(self, session_id: SessionId, scope: Scope) -> Put:
        head = await self._heads.of(session_id, scope)
        note = erasures.of_words(head)
        await self._driver.write([head.with_changes({"words": layout.drawn()}), note])
        return note


def _in_transcript(document: StoredDocument) -> tuple[int, int, str]:
    body = document.body
    # One that was stored before there were places has none.
    return body["start_us"], body.get("place", 0), body["id"]
