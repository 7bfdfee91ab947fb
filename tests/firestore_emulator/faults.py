"""What can go wrong between a client and Firestore."""

from __future__ import annotations

from enum import StrEnum

from attrs import field, frozen

__all__ = ("Fault", "Trouble")


class Trouble(StrEnum):
    """How a call goes wrong."""

    UNAVAILABLE = "unavailable"
    """Refused, and nothing was done."""

    ABORTED = "aborted"
    """Others are at the same documents; nothing was done."""

    RESOURCE_EXHAUSTED = "resource_exhausted"
    """The quota is used up; nothing was done."""

    PERMISSION_DENIED = "permission_denied"
    """Refused for good."""

    HANGS = "hangs"
    """Nothing is done, and there is no answer."""

    CUT = "cut"
    """Nothing is done, and the connection breaks; the next one stands."""

    DONE_BUT_UNAVAILABLE = "done_but_unavailable"
    """It is done, and said not to be."""

    DONE_BUT_HANGS = "done_but_hangs"
    """It is done, and there is no answer."""

    DONE_BUT_CUT = "done_but_cut"
    """It is done, and the connection breaks before the answer."""

    BROKEN_OFF = "broken_off"
    """The first half of a streamed answer, and then an error."""

    CUT_SHORT = "cut_short"
    """The first half of a streamed answer, as if it were all."""

    @property
    def is_half_told(self) -> bool:
        """Whether the first half of the answer is given."""
        return self in (Trouble.BROKEN_OFF, Trouble.CUT_SHORT)

    @property
    def is_done(self) -> bool:
        """Whether what was asked for is done."""
        return self.startswith("done")


@frozen
class Fault:
    """The next call of *rpc* goes wrong. ``times`` says how many of them."""

    rpc: str
    trouble: Trouble
    times: int = field(default=1, kw_only=True)
