"""What the agents of the SDK remember, kept as the transcript of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import frozen

from ...core.utterance import Speaker, Utterance, UtteranceId
from ...runtime.handle import SessionHandle
from ...runtime.manager import SessionManager

if TYPE_CHECKING:
    from agents.items import TResponseInputItem
    from agents.memory import SessionSettings

__all__ = ("TranscriptMemory",)

_FORGOTTEN: Final = "agents_forget"
"""The metadata that names what the agents are not told of any more."""

_SPEAKERS: Final = {"user": Speaker.USER, "assistant": Speaker.AGENT}
_ROLES: Final = {speaker: role for role, speaker in _SPEAKERS.items()}


@frozen
class _Remembered:
    """An item, and the utterance that it is kept as; None for what is not said aloud."""

    item: TResponseInputItem
    utterance_id: UtteranceId | None


@frozen
class _Gone:
    """Utterances that the agents are not told of any more: up to one, and others besides."""

    until: str | None
    besides: tuple[str, ...]


class TranscriptMemory:
    """The SDK's ``Session`` protocol over the transcript of one of ours.

    What user and agent say is durable when ``add_items`` returns, and is there again in
    another process. Everything else (calls of tools, what they gave, reasoning) is
    remembered as long as this object lives, and then honestly gone: it is no part of a
    transcript. What is popped or cleared is not told to agents any more, also not after a
    restart; what was said stays in the transcript, because it was said.

    Args:
        handle: Of an attached session that is LIVE; not closed here.
        most: Items that are remembered; the oldest are let go of first.
    """

    session_settings: SessionSettings | None = None

    def __init__(self, voice: SessionManager, handle: SessionHandle, *, most: int = 1_000) -> None:
        self.session_id: str = handle.session.id
        self._voice = voice
        self._handle = handle
        self._most = most
        self._said = 0
        self._items: list[_Remembered] | None = None

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Return the latest *limit* items, or all of them, in order."""
        items = [one.item for one in await self._remembered()]
        return items if limit is None else items[max(0, len(items) - limit) :]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Remember *items*; what was said in them is stored first.

        Raises:
            StoreError: The store does not take it; what came before it in *items* is there.
        """
        remembered = await self._remembered()
        for item in items:
            remembered.append(_Remembered(item, await self._stored(item)))
            del remembered[: -self._most]

    async def pop_item(self) -> TResponseInputItem | None:
        """Forget the latest item, and return it; None where there is none."""
        remembered = await self._remembered()
        if not remembered:
            return None
        last = remembered.pop()
        if last.utterance_id is not None:
            gone = self._gone()
            await self._forget(_Gone(gone.until, (*gone.besides, last.utterance_id)))
        return last.item

    async def clear_session(self) -> None:
        """Forget everything that has been remembered so far."""
        remembered = await self._remembered()
        said = [one.utterance_id for one in remembered if one.utterance_id is not None]
        if said:
            await self._forget(_Gone(said[-1], ()))
        remembered.clear()

    async def _remembered(self) -> list[_Remembered]:
        if self._items is None:
            gone = self._gone()
            said = (await self._voice.transcript(self.session_id)).utterances
            ids: list[str] = [one.id for one in said]
            after = ids.index(gone.until) + 1 if gone.until in ids else 0
            self._items = [
                _Remembered(_item_of(one), one.id)
                for one in said[after:]
                if one.id not in gone.besides
            ][-self._most :]
        return self._items

    async def _stored(self, item: TResponseInputItem) -> UtteranceId | None:
        said = _words_of(item)
        if said is None:
            return None
        speaker, text = said
        self._said += 1
        now_us = self._handle.media_us
        utterance = Utterance(
            id=UtteranceId(f"utt_{self._handle.session.epoch:04}_{self._said:06}"),
            speaker=speaker,
            start_us=now_us,
            end_us=now_us,
            text=text,
        )
        return (await self._handle.final(utterance)).id

    def _gone(self) -> _Gone:
        kept = self._handle.session.metadata.get(_FORGOTTEN, {})
        return _Gone(kept.get("until"), tuple(kept.get("besides", ())))

    async def _forget(self, gone: _Gone) -> None:
        mark = {"until": gone.until, "besides": list(gone.besides)}
        metadata = self._handle.session.metadata | {_FORGOTTEN: mark}
        await self._voice.update(self.session_id, metadata=metadata)


def _item_of(utterance: Utterance) -> TResponseInputItem:
    item = {"role": _ROLES[utterance.speaker], "content": utterance.text}
    return cast("TResponseInputItem", item)


def _words_of(item: TResponseInputItem) -> tuple[Speaker, str] | None:
    """Return who says what in *item*; None where nothing is said."""
    message = cast("Mapping[str, Any]", item)
    speaker = _SPEAKERS.get(str(message.get("role")))
    if speaker is None or message.get("type", "message") != "message":
        return None
    content = message.get("content")
    if isinstance(content, str):
        text = content
    else:
        parts = cast("Sequence[Mapping[str, Any]]", content or ())
        text = " ".join(str(part["text"]) for part in parts if part.get("text"))
    return (speaker, text) if text.strip() else None
