"""
What is known of a recording beside its samples, as a log of lines that outlives its writer.

Each line is a JSON object with one name; the first says whose recording it is. A line that
was not finished when the machine stopped is no line. The log lies in a spool, and beside
the segments in an object store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import asdict, evolve, frozen

from ..core.errors import InvalidValue, RecordingFailed
from ..core.results import SessionFolder
from ..core.timeline import Span, Track
from ..ports.recording import Gap, ProblemKind, RecordingProblem

__all__ = ("Made", "Notes", "line", "lost", "read_notes")

_VERSION: Final = 1


@frozen(kw_only=True)
class Made:
    """What a recording has become: see ``Recorded``; the rest of it stands in the notes."""

    uris: tuple[str, ...]
    duration_us: int
    size_bytes: int
    channels: int
    is_partial: bool


@frozen(kw_only=True)
class Notes:
    """Everything about a recording but its samples.

    Attributes:
        folder: Where in the object store it goes.
        paused_at_us: Where a cut has begun that has not ended.
        closed_us: The duration with which its owner closed it.
        keys: The objects that it becomes, once that is settled.
        made: What it has become; all that is left to do is to tidy up.
        first_frame: Of a spool: where its own audio begins; what lies before it was kept
            elsewhere. None where nothing was written but, perhaps, a copy of the segments.
        checkpoint: Of a spool: the last one of which anything was sent; None before the first.
    """

    folder: SessionFolder
    sample_rate: int
    cuts: tuple[Span, ...] = ()
    paused_at_us: int | None = None
    masks: tuple[Span, ...] = ()
    gaps: tuple[Gap, ...] = ()
    problems: tuple[RecordingProblem, ...] = ()
    closed_us: int | None = None
    keys: tuple[str, ...] = ()
    made: Made | None = None
    first_frame: int | None = None
    checkpoint: int | None = None

    @property
    def session_id(self) -> str:
        """Whose recording it is."""
        return self.folder.session_id

    def header(self) -> bytes:
        """Return the first line: whose spool it is."""
        whose: dict[str, object] = {
            "version": _VERSION,
            "session_id": self.session_id,
            "sample_rate": self.sample_rate,
        }
        if self.folder.tenant_id is not None:
            whose["tenant_id"] = self.folder.tenant_id
        return line("spool", whose)

    def after(self, name: str, value: Any) -> Notes:
        """Return the notes with one more line read."""
        return _READERS[name](self, value)

    def log(self) -> bytes:
        """Return what anybody needs who finishes the recording, as ``read_notes`` reads it."""
        lines: list[tuple[str, object]] = [
            *(("cut", [cut.from_us, cut.to_us]) for cut in self.cuts),
            *(("mask", [mask.from_us, mask.to_us]) for mask in self.masks),
        ]
        if self.paused_at_us is not None:
            lines.append(("pause", self.paused_at_us))
        if self.gaps or self.problems:
            lines.append(("lost", lost(self.gaps, self.problems)))
        if self.closed_us is not None:
            lines.append(("closed", self.closed_us))
        if self.keys:
            lines.append(("keys", list(self.keys)))
        if self.made is not None:
            lines.append(("made", asdict(self.made)))
        return self.header() + b"".join(line(name, value) for name, value in lines)


def line(name: str, value: object) -> bytes:
    """Return one line of the log."""
    return json.dumps({name: value}, separators=(",", ":")).encode() + b"\n"


def lost(
    gaps: tuple[Gap, ...], problems: tuple[RecordingProblem, ...]
) -> Mapping[str, list[list[object]]]:
    """Return the value of a line ``lost``: it replaces the one before."""
    return {
        "gaps": [[gap.track, gap.span.from_us, gap.span.to_us] for gap in gaps],
        "problems": [
            [one.kind, one.span.from_us, one.span.to_us, one.dropped_bytes, one.detail]
            for one in problems
        ],
    }


def read_notes(content: bytes) -> tuple[Notes, int]:
    """Return the notes in *content*, and how many of its bytes are whole lines.

    Raises:
        RecordingFailed: They are not the notes of a spool, or of a later version.
    """
    size = content.rfind(b"\n") + 1
    try:
        first, *rest = (json.loads(text) for text in content[:size].splitlines())
        spool = first["spool"]
        if spool["version"] != _VERSION:
            raise RecordingFailed(f"its notes are of version {spool['version']!r}, not {_VERSION}")
        folder = SessionFolder(spool["session_id"], spool.get("tenant_id"))
        notes = Notes(folder=folder, sample_rate=spool["sample_rate"])
        for entry in rest:
            for name, value in entry.items():
                notes = notes.after(name, value)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidValue) as error:
        raise RecordingFailed(f"its notes cannot be read: {error}") from error
    return notes, size


def _paused(notes: Notes, at_us: int) -> Notes:
    return evolve(notes, paused_at_us=at_us)


def _resumed(notes: Notes, at_us: int) -> Notes:
    if notes.paused_at_us is not None and at_us > notes.paused_at_us:
        notes = evolve(notes, cuts=(*notes.cuts, Span(notes.paused_at_us, at_us)))
    return evolve(notes, paused_at_us=None)


def _cut(notes: Notes, span: list[int]) -> Notes:
    return evolve(notes, cuts=(*notes.cuts, Span(*span)))


def _masked(notes: Notes, span: list[int]) -> Notes:
    return evolve(notes, masks=(*notes.masks, Span(*span)))


def _lost(notes: Notes, value: Mapping[str, list[list[Any]]]) -> Notes:
    return evolve(
        notes,
        gaps=tuple(
            Gap(Track(track), Span(from_us, to_us)) for track, from_us, to_us in value["gaps"]
        ),
        problems=tuple(
            RecordingProblem(
                kind=ProblemKind(kind),
                span=Span(from_us, to_us),
                dropped_bytes=dropped_bytes,
                detail=detail,
            )
            for kind, from_us, to_us, dropped_bytes, detail in value["problems"]
        ),
    )


def _closed(notes: Notes, duration_us: int | None) -> Notes:
    return evolve(notes, closed_us=duration_us)


def _keyed(notes: Notes, keys: list[str]) -> Notes:
    return evolve(notes, keys=tuple(keys))


def _made(notes: Notes, value: Mapping[str, Any]) -> Notes:
    made = Made(
        uris=tuple(value["uris"]),
        duration_us=value["duration_us"],
        size_bytes=value["size_bytes"],
        channels=value["channels"],
        is_partial=value["is_partial"],
    )
    return evolve(notes, made=made)


def _begun(notes: Notes, first_frame: int) -> Notes:
    return evolve(notes, first_frame=first_frame)


def _shipped(notes: Notes, checkpoint: int) -> Notes:
    return evolve(notes, checkpoint=checkpoint)


_READERS: Final[Mapping[str, Callable[[Notes, Any], Notes]]] = MappingProxyType(
    {
        "pause": _paused,
        "resume": _resumed,
        "cut": _cut,
        "mask": _masked,
        "lost": _lost,
        "closed": _closed,
        "keys": _keyed,
        "made": _made,
        "first_frame": _begun,
        "checkpoint": _shipped,
    }
)
