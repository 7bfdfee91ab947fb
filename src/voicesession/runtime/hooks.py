"""What a host does at certain moments of a conversation, and how long that may take."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import anyio
from anyio.abc import TaskGroup
from attrs import frozen

from ..core.errors import DeadlineExceeded, VoiceSessionError
from ..core.floor.effects import UserAway
from ..core.states import SessionState
from .happenings import Failed, SessionChanged

if TYPE_CHECKING:
    from .live import VoiceSession
    from .pipeline import SessionConfig

__all__ = ("Hook", "HookRunner", "Hooks")

logger = logging.getLogger("voicesession")

Hook: TypeAlias = "Callable[[VoiceSession], Awaitable[Any]]"


@frozen(kw_only=True)
class Hooks:
    """Functions of the host; each is awaited beside the conversation, which goes on.

    One that raises or takes too long is told as `Failed`, and that is all it does.

    Attributes:
        away: The user has not said a word for long: ``call.say("Are you still there?")``.
        goodbye: The session ends soon, because it may not last longer.
        ended: The session is over and everything of it is stored.
    """

    away: Hook | None = None
    goodbye: Hook | None = None
    ended: Hook | None = None


class HookRunner:
    """Calls the hooks of one conversation when it is time for them.

    Attributes:
        follows: What `follow` is to be told of.
    """

    follows: ClassVar[frozenset[type]] = frozenset({SessionChanged, UserAway})

    __slots__ = ("_call", "_deadline_s", "_hooks", "_tasks", "_tell")

    def __init__(
        self,
        call: VoiceSession,
        config: SessionConfig,
        tasks: TaskGroup,
        tell: Callable[[object], None],
    ) -> None:
        self._call = call
        self._hooks = config.hooks
        self._deadline_s = config.hook_deadline.total_seconds()
        self._tasks = tasks
        self._tell = tell

    @property
    def goodbye(self) -> Callable[[], None] | None:
        """What to call when the session ends soon; None where nobody wants to know."""
        hook = self._hooks.goodbye
        return None if hook is None else partial(self._start, "goodbye", hook)

    def follow(self, happening: object) -> None:
        """Take what has happened."""
        if isinstance(happening, UserAway):
            self._start("away", self._hooks.away)
        elif isinstance(happening, SessionChanged) and happening.new_state is SessionState.ENDED:
            self._start("ended", self._hooks.ended)

    def _start(self, name: str, hook: Hook | None) -> None:
        if hook is not None:
            self._tasks.start_soon(self._run, name, hook)

    async def _run(self, name: str, hook: Hook) -> None:
        # Shielded: the session does not break off what the host does at its end.
        with anyio.move_on_after(self._deadline_s, shield=hook is self._hooks.ended) as scope:
            try:
                await hook(self._call)
            except Exception as error:  # the host's own code must not stop the conversation
                logger.exception("the hook %r failed", name)
                failure = VoiceSessionError(f"the hook {name!r} failed: {type(error).__name__}")
                self._tell(Failed(failure))
        if scope.cancelled_caught:
            late = f"the hook {name!r} took longer than {self._deadline_s:g} s"
            self._tell(Failed(DeadlineExceeded(late)))
