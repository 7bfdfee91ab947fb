"""``voicesession token``: credentials for callers of a server."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import InvalidConfig, InvalidValue
from ..core.identity import DEFAULT_TENANT
from .failures import Debug, reported
from .opening import Json, print_json
from .settings import server_settings

if TYPE_CHECKING:
    from ..web.principal import Principal

__all__ = ("token",)


def token(
    *,
    tenant: Annotated[str, typer.Option(help="Whose sessions.")] = DEFAULT_TENANT,
    user: Annotated[
        str | None, typer.Option(help="Which user; none for a backend of the tenant.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="read, write, usage or admin; may be given again.")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, help="How long a token is good.")] = 1,
    api_key: Annotated[
        bool, typer.Option("--api-key", help="A key for the file of VOICESESSION_API_KEYS instead.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Make a token, signed with VOICESESSION_JWT_SECRET; or, with --api-key, a key.

    Of a key only its hash is kept: the lines for the server's file are printed below it.
    """
    with reported(debug=debug):
        from ..web.principal import Principal

        principal = Principal(tenant_id=tenant, user_id=user, scopes=scope or ["read", "write"])
        made = _api_key(principal) if api_key else _token(principal, timedelta(hours=hours))
        if as_json:
            print_json(made)
        else:
            print("\n\n".join(made.values()))


def _api_key(principal: Principal) -> dict[str, str]:
    from ..web.auth.api_keys import KEY_BYTES, ApiKey, new_key

    key = new_key(os.urandom(KEY_BYTES))
    name = principal.user_id or "backend"
    kept = ApiKey.of(key, name=name, principal=principal)
    lines = [
        "[[keys]]",
        f'name = "{name}"',
        f'hash = "{kept.hash}"',
        f"scopes = {sorted(principal.scopes)}",
        f'tenant_id = "{principal.tenant_id}"',
    ]
    if principal.user_id is not None:
        lines.append(f'user_id = "{principal.user_id}"')
    return {"key": key, "entry": "\n".join(lines)}


def _token(principal: Principal, life: timedelta) -> dict[str, str]:
    settings, _ = server_settings()
    import jwt

    from ..runtime.clock import SystemClock

    if principal.user_id is None:
        raise InvalidValue("user", None, "a user; a backend of the tenant takes --api-key")
    if settings.jwt_secret is None:
        raise InvalidConfig("VOICESESSION_JWT_SECRET", None, "the secret of the server")
    now = SystemClock().now()
    claims = {
        "sub": principal.user_id,
        "tenant_id": principal.tenant_id,
        "scope": " ".join(sorted(principal.scopes)),
        "iat": now,
        "exp": now + life,
    }
    named = {"iss": settings.jwt_issuer, "aud": settings.jwt_audience}
    claims |= {name: value for name, value in named.items() if value is not None}
    return {"token": jwt.encode(claims, settings.jwt_secret.get_secret_value(), algorithm="HS256")}
