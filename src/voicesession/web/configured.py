"""An application as a server's settings want it."""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen
from starlette.applications import Starlette

from ..core.errors import InvalidConfig
from ..integrations.livekit import LiveKitRooms, LiveKitServer, LiveKitWebhooks
from ..runtime.manager import SessionManager
from ..schemas.settings import AuthKind, LiveKitSettings, Settings
from ..wiring.configured import configured
from .auth.api_keys import ApiKeys
from .auth.jwks import PublishedKeys
from .auth.tokens import JwtAuthenticator, PublicKey, SecretKey, TokenKeys
from .browser import browser_routes, page_routes
from .face import PipelineMaker
from .options import MetricsSource, WebOptions
from .principal import Authenticator
from .starlette import voice_app

__all__ = ("PREFIXES", "Configured", "authenticator_of", "configured_app")

PREFIXES: Final = (
    "/v1/sessions",
    "/v1/realtime/sessions",
    "/live-sessions",
    "/api/v1/sessions",
)
"""The first is the documented one; the others are for those who come from elsewhere."""


@frozen
class Configured:
    """A server's application, and the manager behind it.

    Attributes:
        voice: Is opened by the lifespan of the application, or by whoever serves without one.
    """

    app: Starlette
    voice: SessionManager


def configured_app(
    settings: Settings,
    livekit: LiveKitSettings,
    *,
    pipeline: PipelineMaker,
    port: int,
    metrics: MetricsSource | None = None,
) -> Configured:
    """Return the application that *settings* describe; nothing is opened yet.

    The browser's module is at ``/voicesession``. Where nobody is asked who they are, there is
    a page at ``/`` to talk from, too.

    Args:
        port: That is listened on; URLs name it, where a call does not say how it found us.
        metrics: What ``/metrics`` answers; without it, that is a 404.

    Raises:
        InvalidConfig: A setting cannot be used; nothing was started.
    """
    if settings.encryption_enabled:
        raise InvalidConfig(
            "VOICESESSION_ENCRYPTION_ENABLED",
            "true",
            "false here: an application of yours knows the keys, see WebOptions.verify_key_hash",
        )
    server = LiveKitServer.of(livekit) if livekit.is_configured else None
    voice = configured(settings, rooms=None if server is None else LiveKitRooms(server))
    options = evolve(_options(settings), port=port, metrics=metrics)
    if server is not None:
        options = evolve(options, livekit_webhook=LiveKitWebhooks(server, voice.room_news).receive)
    app = voice_app(
        voice,
        pipeline=pipeline,
        authenticator=authenticator_of(settings),
        prefixes=PREFIXES,
        options=options,
    )
    app.router.routes.extend(browser_routes())
    if settings.auth is AuthKind.NONE:
        app.router.routes.extend(page_routes())
    return Configured(app, voice)


def authenticator_of(settings: Settings) -> Authenticator | None:
    """Return who knows the callers; None where nobody is asked.

    Raises:
        InvalidConfig: A key cannot be read, or is none.
    """
    if settings.auth is AuthKind.NONE:
        return None
    if settings.api_keys is not None and settings.auth is AuthKind.API_KEYS:
        return ApiKeys.load(settings.api_keys)
    return JwtAuthenticator(
        _token_keys(settings), issuer=settings.jwt_issuer, audience=settings.jwt_audience
    )


def _token_keys(settings: Settings) -> TokenKeys:
    if settings.jwt_secret is not None:
        return SecretKey(settings.jwt_secret.get_secret_value())
    if settings.jwt_jwks_url is not None:
        return PublishedKeys(settings.jwt_jwks_url)
    path = settings.jwt_public_key
    try:
        return PublicKey(path.read_bytes() if path is not None else b"")
    except OSError as error:
        raise InvalidConfig("jwt_public_key", str(path), f"a file ({error.strerror})") from None


def _options(settings: Settings) -> WebOptions:
    proxies = [one.strip() for one in settings.trusted_proxies.split(",") if one.strip()]
    options = WebOptions(trusted_proxies=proxies, reveal_foreign=settings.reveal_foreign)
    if settings.signing_secret is None:
        return options
    return evolve(options, secret=settings.signing_secret.get_secret_value().encode())
