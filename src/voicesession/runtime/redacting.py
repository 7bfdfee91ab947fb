"""What is taken out of words before anybody else has them: first by us, then by the host."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from ..core.masking import masked
from ..core.redaction import Redaction
from ..core.timeline import Span
from ..core.utterance import Speaker, Utterance, UtteranceId

__all__ = ("RedactionHook", "Redactor")

RedactionHook: TypeAlias = Callable[[Utterance], Utterance]
"""Returns an utterance without what must not be kept; quick, and without side effects."""

logger = logging.getLogger("voicesession")


class Redactor:
    """Redacts the words of one session.

    Args:
        redaction: Blurs what the session was created with.
        hook: The host's own, which runs after it. What it cannot redact is blurred whole.
    """

    __slots__ = (
        "_hook",
        "_masks",
        "_redaction",
    )

    def __init__(self, redaction: Redaction, hook: RedactionHook | None) -> None:
        self._redaction = redaction
        self._hook = hook
        self._masks: list[Span] = []

    def mask(self, span: Span) -> None:
        """Let nothing that is said in *span* through from now on."""
        self._masks.append(span)

    def utterance(self, utterance: Utterance) -> Utterance:
        """Return *utterance* as it may be stored and told."""
        blurred = masked(self._redaction.blur(utterance), self._masks)
        return blurred if self._hook is None else self._through(self._hook, blurred)

    def text(self, text: str) -> str:
        """Return a text that is not an utterance yet, as it may be stored and told."""
        blurred = self._redaction.blur_text(text)
        if self._hook is None:
            return blurred
        so_far = Utterance(
            id=UtteranceId("partial"), speaker=Speaker.USER, start_us=0, end_us=0, text=blurred
        )
        return self._through(self._hook, so_far).text

    def _through(self, hook: RedactionHook, utterance: Utterance) -> Utterance:
        try:
            return hook(utterance)
        except Exception as error:  # noqa: BLE001  # whatever the host's code raises
            # The type alone: its text may hold what was to be taken out.
            logger.warning("the redaction hook failed: %s", type(error).__name__)
            return masked(utterance, [Span(utterance.start_us, utterance.end_us + 1)])
