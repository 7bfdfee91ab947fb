"""``voicesession templates``: what sessions of one kind begin with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, cast

import typer

from ..core.identity import DEFAULT_TENANT
from .failures import Debug, WrongUse, reported
from .opening import Json, Store, Tenant, ask, print_json
from .shown import print_record

if TYPE_CHECKING:
    from ..core.templates import SessionTemplate
    from ..runtime.manager import SessionManager

__all__ = ("templates",)

templates: Final = typer.Typer(
    help="List, show and change what sessions of one kind begin with.", no_args_is_help=True
)

_TemplateId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", show_default=False)]
_Profile: TypeAlias = Annotated[
    str | None,
    typer.Option("--modality-profile", help="audio (as it is without this), audio+camera …"),
]
_Panels: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--panel", help="What the front end shows beside the call; may be repeated."),
]
_Language: TypeAlias = Annotated[str | None, typer.Option(help="Such as en, or auto.")]
_Model: TypeAlias = Annotated[str | None, typer.Option(help="fast, accurate, or your own name.")]
_Active: TypeAlias = Annotated[
    int | None, typer.Option("--max-active-seconds", help="How long a session may be LIVE.", min=0)
]
_WallClock: TypeAlias = Annotated[
    int | None,
    typer.Option("--max-wall-clock-seconds", help="How long it may last with its pauses.", min=0),
]
_Budget: TypeAlias = Annotated[
    str | None,
    typer.Option("--audio-budget-minutes", help="Audio a session may use; may have a fraction."),
]
_Agent: TypeAlias = Annotated[
    str | None, typer.Option("--agent-metadata", help="A JSON object for the agent.")
]

_US_PER_S: Final = 1_000_000


class _Unset(StrEnum):
    """What a template can leave to its sessions again, by the name of its option."""

    MODALITY_PROFILE = "modality-profile"
    PANEL = "panel"
    LANGUAGE = "language"
    MODEL = "model"
    MAX_ACTIVE = "max-active-seconds"
    MAX_WALL_CLOCK = "max-wall-clock-seconds"
    AUDIO_BUDGET = "audio-budget-minutes"
    AGENT_METADATA = "agent-metadata"


_LEFT_OPEN: Final[Mapping[_Unset, tuple[str, Any]]] = MappingProxyType(
    {
        _Unset.MODALITY_PROFILE: ("modality_profile", "audio"),
        _Unset.PANEL: ("enabled_panels", None),
        _Unset.LANGUAGE: ("language", None),
        _Unset.MODEL: ("model", None),
        _Unset.MAX_ACTIVE: ("max_active_us", None),
        _Unset.MAX_WALL_CLOCK: ("max_wall_clock_us", None),
        _Unset.AUDIO_BUDGET: ("audio_budget", None),
        _Unset.AGENT_METADATA: ("agent_metadata", {}),
    }
)
"""The field of each, and what it holds in a template that does not say it."""


@templates.command("list")
def list_templates(
    *,
    store: Store,
    tenant: Tenant = DEFAULT_TENANT,
    limit: Annotated[int, typer.Option(help="At most so many, up to 100.", min=1, max=100)] = 50,
    after: Annotated[str | None, typer.Option(help="Only those behind this id.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List templates by id."""

    async def find(voice: SessionManager) -> Sequence[SessionTemplate]:
        return await voice.templates.find(after=after, limit=limit)

    with reported(debug=debug):
        found = ask(store, tenant, None, find)
        if as_json:
            print_json({"templates": [_document(template) for template in found]})
        else:
            _print_list(found)


@templates.command("create")
def create_template(  # noqa: PLR0913  # one parameter for each option, as typer wants them
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    *,
    store: Store,
    template_id: Annotated[
        str | None, typer.Option("--id", help="Its id; one that is there is replaced.")
    ] = None,
    modality_profile: _Profile = None,
    panels: _Panels = None,
    language: _Language = None,
    model: _Model = None,
    max_active: _Active = None,
    max_wall_clock: _WallClock = None,
    audio_budget: _Budget = None,
    agent_metadata: _Agent = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Create a template; what it does not say is left to the session."""
    with reported(debug=debug):
        fields = _fields(
            modality_profile=modality_profile,
            enabled_panels=panels,
            language=language,
            model=model,
            max_active=max_active,
            max_wall_clock=max_wall_clock,
            audio_budget=audio_budget,
            agent_metadata=agent_metadata,
        )

        async def create(voice: SessionManager) -> SessionTemplate:
            return await voice.templates.create(name, template_id=template_id, **fields)

        _print(ask(store, tenant, None, create), as_json=as_json)


@templates.command("get")
def get_template(
    template_id: _TemplateId,
    *,
    store: Store,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show one template."""

    async def get(voice: SessionManager) -> SessionTemplate:
        return await voice.templates.get(template_id)

    with reported(debug=debug):
        _print(ask(store, tenant, None, get), as_json=as_json)


@templates.command("update")
def update_template(  # noqa: PLR0913  # one parameter for each option, as typer wants them
    template_id: _TemplateId,
    *,
    store: Store,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    modality_profile: _Profile = None,
    panels: _Panels = None,
    language: _Language = None,
    model: _Model = None,
    max_active: _Active = None,
    max_wall_clock: _WallClock = None,
    audio_budget: _Budget = None,
    agent_metadata: _Agent = None,
    unset: Annotated[
        list[_Unset] | None,
        typer.Option(help="Leave this to the session again; may be repeated."),
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Change what is given. Sessions that were made from the template keep what they had."""
    with reported(debug=debug):
        fields = _fields(
            modality_profile=modality_profile,
            enabled_panels=panels,
            language=language,
            model=model,
            max_active=max_active,
            max_wall_clock=max_wall_clock,
            audio_budget=audio_budget,
            agent_metadata=agent_metadata,
        )

        fields = _with_left_open(fields, unset or ())

        async def update(voice: SessionManager) -> SessionTemplate:
            return await voice.templates.update(template_id, name=name, **fields)

        _print(ask(store, tenant, None, update), as_json=as_json)


@templates.command("delete")
def delete_template(
    template_id: _TemplateId,
    *,
    store: Store,
    tenant: Tenant = DEFAULT_TENANT,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Delete a template. Sessions that were made from it go on."""

    async def get(voice: SessionManager) -> SessionTemplate:
        return await voice.templates.get(template_id)

    async def delete(voice: SessionManager) -> None:
        await voice.templates.delete(template_id)

    with reported(debug=debug):
        template = ask(store, tenant, None, get)
        if not yes:
            typer.confirm(f"Delete {template.id} ({template.name})?", abort=True, err=True)
        ask(store, tenant, None, delete)
        if as_json:
            print_json({"deleted": True, "template_id": template.id})
        else:
            print(f"deleted {template.id}")


# --- what is given -------------------------------------------------------------------------


def _fields(
    *,
    max_active: int | None,
    max_wall_clock: int | None,
    audio_budget: str | None,
    agent_metadata: str | None,
    **texts: Any,
) -> dict[str, Any]:
    from ..core.meters import audio_us

    given: dict[str, Any] = {
        **texts,
        "max_active_us": None if max_active is None else max_active * _US_PER_S,
        "max_wall_clock_us": None if max_wall_clock is None else max_wall_clock * _US_PER_S,
    }
    if audio_budget is not None:
        given["audio_budget"] = timedelta(microseconds=audio_us(audio_budget))
    if agent_metadata is not None:
        given["agent_metadata"] = _object(agent_metadata)
    return {name: value for name, value in given.items() if value is not None}


def _with_left_open(given: Mapping[str, Any], unset: Sequence[_Unset]) -> dict[str, Any]:
    left_open = dict(_LEFT_OPEN[name] for name in unset)
    for name in unset:
        if _LEFT_OPEN[name][0] in given:
            raise WrongUse(f"--{name} and --unset {name} contradict each other")
    return {**given, **left_open}


def _object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise WrongUse(f"--agent-metadata is no JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise WrongUse("--agent-metadata is no JSON object")
    return cast("dict[str, Any]", parsed)


# --- what is printed -----------------------------------------------------------------------


def _document(template: SessionTemplate) -> dict[str, Any]:
    from ..schemas.templates import template_document

    return template_document(template)


def _print(template: SessionTemplate, *, as_json: bool) -> None:
    document = _document(template)
    if as_json:
        print_json({"template": document})
    else:
        print_record(document)


def _print_list(found: Sequence[SessionTemplate]) -> None:
    for template in found:
        print(
            f"{template.id:<37}  {template.modality_profile:<14}"
            f"  {template.language or '-':<6}  {template.model or '-':<10}  {template.name}"
        )
    if not found:
        print("no templates")
