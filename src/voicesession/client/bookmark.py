"""Where a client is in its session: what lets it come back, and keeps it from hearing twice."""

from __future__ import annotations

from attrs import evolve, field, frozen

from ..schemas.messages import Attach, ServerMessage, SessionBegin

__all__ = ("Bookmark",)


@frozen(kw_only=True)
class Bookmark:
    """A place in a session. Keep it, and another process may go on from there.

    Attributes:
        resume_token: Lets in whoever shows it; a secret. Empty before the first ``session.begin``.
        last_seq: Of the last durable message that its user was given.
    """

    session_id: str
    resume_token: str = field(default="", repr=False)
    last_seq: int = 0

    @property
    def attach(self) -> Attach | None:
        """The first message of a connection that goes on from here; None if it is the first."""
        if not self.resume_token:
            return None
        return Attach(
            session_id=self.session_id,
            resume_token=self.resume_token,
            last_seq=self.last_seq,
        )

    def begun(self, begin: SessionBegin) -> Bookmark:
        """Return the bookmark after *begin*, which does not move it on.

        A store that has crashed may have lost the last moments of a session: what is told in
        their place has their numbers.
        """
        last_seq = min(self.last_seq, begin.last_seq)
        return evolve(self, resume_token=begin.resume_token, last_seq=last_seq)

    def is_behind(self, message: ServerMessage) -> bool:
        """Whether *message* has been given out already."""
        seq = getattr(message, "seq", None)
        return seq is not None and seq <= self.last_seq

    def moved(self, message: ServerMessage) -> Bookmark:
        """Return the bookmark behind *message*."""
        seq = getattr(message, "seq", None)
        return self if seq is None or seq <= self.last_seq else evolve(self, last_seq=seq)
