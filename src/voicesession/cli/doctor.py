"""``voicesession doctor``: what a server would trip over, before there is one."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Final

import typer
from attrs import asdict, frozen

from ..core.errors import InvalidConfig, VoiceSessionError
from .failures import FAILURE, Debug, WrongUse, reported
from .metrics import are_measured
from .opening import Json, print_json, require_file
from .settings import EnvFile, server_settings

if TYPE_CHECKING:
    from pathlib import Path

    from ..schemas.settings import LiveKitSettings, Settings

__all__ = ("doctor",)

_PROBE: Final = "doctor/probe"


@frozen(kw_only=True)
class Finding:
    """What came of one look.

    Attributes:
        detail: What is there, or what to do about it.
    """

    part: str
    is_well: bool
    detail: str


def doctor(*, env_file: EnvFile = None, as_json: Json = False, debug: Debug = False) -> None:
    """Try every part that the settings name: the store, the recordings, the engines.

    Nothing that is there is changed: a store is asked for one session, and one small file is
    written among the recordings and removed again.
    """
    with reported(debug=debug):
        import anyio

        findings = anyio.run(_look, env_file)
        if as_json:
            print_json({"findings": [asdict(finding) for finding in findings]})
        else:
            for finding in findings:
                print(
                    f"{'ok' if finding.is_well else 'NOT OK':<8}{finding.part:<12}{finding.detail}"
                )
        if not all(finding.is_well for finding in findings):
            raise typer.Exit(FAILURE)


async def _look(env_file: Path | None) -> list[Finding]:
    findings = [Finding(part="python", is_well=True, detail=platform.python_version())]
    try:
        settings, livekit = server_settings(env_file)
    except InvalidConfig as error:
        return [*findings, Finding(part="settings", is_well=False, detail=str(error))]
    looks: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
        ("store", lambda: _store(settings)),
        ("recordings", lambda: _recordings(settings)),
        ("engines", lambda: _engines(settings)),
        ("auth", lambda: _auth(settings)),
        ("metrics", lambda: _metrics(settings)),
        ("livekit", lambda: _livekit(livekit)),
    )
    return findings + [await _finding(part, look) for part, look in looks]


async def _finding(part: str, look: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(part=part, is_well=True, detail=await look())
    except (VoiceSessionError, OSError) as error:
        return Finding(part=part, is_well=False, detail=" ".join(str(error).split()))


async def _store(settings: Settings) -> str:
    from ..wiring import open as open_voice

    scheme = settings.store.partition(":")[0]
    try:
        require_file(settings.store)
    except WrongUse:
        return f"{scheme}: not there yet, the server makes it"
    async with open_voice(settings.store) as voice:
        page = await voice.find(limit=1)
    kept = "sessions are kept there" if page.sessions else "no sessions yet"
    return f"{scheme}: {kept}"


async def _recordings(settings: Settings) -> str:
    from ..runtime.clock import SystemClock
    from ..wiring.recordings import recording_at

    objects = recording_at(settings.recordings, SystemClock()).objects
    if objects is None:
        return "none are kept"
    opened = objects if isinstance(objects, AbstractAsyncContextManager) else nullcontext()
    async with opened:
        uri = await objects.put(_PROBE, b"well")
        await objects.get(_PROBE)
        await objects.delete(_PROBE)
    return f"can be written: {uri.removesuffix(_PROBE)}"


async def _engines(settings: Settings) -> str:
    from .engines import serving_pipeline

    async with serving_pipeline(settings) as made:
        return ", ".join(
            f"{part} {name}"
            for part, name in (
                ("vad", made.vad.name),
                ("stt", made.stt.name),
                ("tts", made.tts.name),
                ("agent", made.agent.name),
            )
        )


async def _auth(settings: Settings) -> str:
    from ..web.configured import authenticator_of

    if authenticator_of(settings) is None:
        return "none: callers on this machine only"
    if settings.signing_secret is None:
        return f"{settings.auth}; for several workers set VOICESESSION_SIGNING_SECRET as well"
    return str(settings.auth)


async def _metrics(settings: Settings) -> str:
    return "told at /metrics" if are_measured(settings) else "not told"


async def _livekit(livekit: LiveKitSettings) -> str:
    return livekit.url or "not configured"
