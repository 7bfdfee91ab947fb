"""
What a server is told by its environment, or by a file ``.env`` beside it.

Every field is a variable: ``VOICESESSION_`` and the field's name in capitals; those of LiveKit
begin with ``LIVEKIT_``, as LiveKit's own tools have it. `variables` lists them all, with what
they mean and what holds without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar, get_args

from attrs import frozen
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from ..core.admission import AdmissionPolicy
from ..core.deadlines import LifePolicy
from ..core.errors import InvalidConfig

__all__ = ("AuthKind", "LiveKitSettings", "Settings", "Variable", "load", "variables")

_S = TypeVar("_S", bound=BaseSettings)

# A variable that is set to nothing is not set: so an example file can be copied as it is.
_READ: Final = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

_Count = Annotated[int, Field(ge=0)]
_Seconds = Annotated[float, Field(ge=0, le=86_400)]


class AuthKind(StrEnum):
    """How callers of the server say who they are."""

    NONE = "none"
    """They do not: only for callers on the same machine."""
    JWT = "jwt"
    API_KEYS = "api_keys"


class LiveKitSettings(BaseSettings):
    """Where LiveKit is, and the key to it; all three are set, or none."""

    model_config = _READ | {"env_prefix": "LIVEKIT_"}

    url: str | None = Field(None, description="Of the LiveKit server, as clients reach it: wss://…")
    api_key: str | None = Field(None, description="Signs tokens, together with the secret.")
    api_secret: SecretStr | None = Field(None, description="Of the API key.")
    token_ttl_seconds: int = Field(
        3600, ge=30, le=86_400, description="How long a token opens the door of its room."
    )
    agent_name: str | None = Field(
        None, description="The agent that LiveKit calls into each room; without it, none by name."
    )
    api_url: str | None = Field(
        None,
        description="Where rooms are made in advance: https://…; without it the first who comes "
        "makes one.",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        given = [self.url, self.api_key, self.api_secret]
        if any(given) and not all(given):
            raise ValueError("LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET go together")
        return self

    @property
    def is_configured(self) -> bool:
        """Whether there is a LiveKit server at all."""
        return self.url is not None


class Settings(BaseSettings):
    """A server's settings; see `load` for how they are read."""

    model_config = _READ | {"env_prefix": "VOICESESSION_"}

    store: str = Field("sqlite:///voicesession.db", description="Where sessions live, as a URL.")
    recordings: str | None = Field(
        "recordings", description="Where audio and transcripts are kept: a folder, or s3://…"
    )
    stt: str | None = Field(None, description="Who recognises speech, such as deepgram:nova-3.")
    tts: str | None = Field(None, description="Who speaks, such as elevenlabs:<voice>.")
    vad: str | None = Field(None, description="Who notices a voice: silero, energy.")
    agent: str | None = Field(None, description="Who answers, such as openai:<model>.")
    max_sessions_per_user: _Count = Field(
        5, description="Sessions of one user that may be open at once."
    )
    session_ttl_hours: float = Field(
        24, gt=0, le=876_000, description="How old a session may become before it expires."
    )
    lease_seconds: float = Field(
        15, ge=1, le=3600, description="How long a silent worker keeps its sessions."
    )
    reconnect_grace_seconds: _Seconds = Field(
        30, description="How long a client may be away before its session ends."
    )
    checkpoint_seconds: float = Field(
        30, ge=5, le=3600, description="How often a recording is shipped to the bucket."
    )
    retention_days: int = Field(
        30, ge=-1, description="For new sessions: 0 keeps nothing, -1 keeps it for good."
    )
    prices: Path | None = Field(
        None, description="A TOML file with prices of your own, which come before the package's."
    )
    allow_unpriced: bool = Field(
        default=False,
        description="Let engines be used whose price nobody knows, although money is limited.",
    )
    encryption_enabled: bool = Field(
        default=False, description="Whether a session must name the hash of its namespace's key."
    )
    reveal_foreign: bool = Field(
        default=False, description="Answer 403, not 404, for what belongs to somebody else."
    )
    auth: AuthKind = Field(
        AuthKind.NONE, description="Who may come in: none (this machine only), jwt, api_keys."
    )
    jwt_secret: SecretStr | None = Field(None, description="Of tokens signed with HS256.")
    jwt_public_key: Path | None = Field(
        None, description="A PEM file, for tokens signed with RS256 or ES256."
    )
    jwt_jwks_url: str | None = Field(None, description="Where the issuer publishes its keys.")
    jwt_issuer: str | None = Field(None, description="What `iss` has to say.")
    jwt_audience: str | None = Field(None, description="What `aud` has to name.")
    api_keys: Path | None = Field(
        None, description="A TOML file with the hashes of keys; see `voicesession token`."
    )
    signing_secret: SecretStr | None = Field(
        None,
        description="Signs tickets and resume tokens, the same for all workers; without it each "
        "process draws its own.",
    )
    trusted_proxies: str = Field(
        "", description="Addresses whose X-Forwarded-… headers are believed, with commas."
    )
    metrics: bool | None = Field(
        None,
        description="Whether /metrics tells administrators what is measured; without it, where "
        "nobody is asked who they are.",
    )

    @model_validator(mode="after")
    def _auth_is_whole(self) -> Self:
        keys = (self.jwt_secret, self.jwt_public_key, self.jwt_jwks_url)
        if self.auth is AuthKind.JWT and sum(key is not None for key in keys) != 1:
            raise ValueError(
                "VOICESESSION_AUTH=jwt takes one of VOICESESSION_JWT_SECRET, _JWT_PUBLIC_KEY and "
                "_JWT_JWKS_URL"
            )
        if self.auth is AuthKind.API_KEYS and self.api_keys is None:
            raise ValueError("VOICESESSION_AUTH=api_keys takes VOICESESSION_API_KEYS")
        return self

    @property
    def life(self) -> LifePolicy:
        """How long a session may take for what."""
        return LifePolicy(
            reconnect_grace=timedelta(seconds=self.reconnect_grace_seconds),
            time_to_live=timedelta(hours=self.session_ttl_hours),
        )

    @property
    def admission(self) -> AdmissionPolicy:
        """How many sessions may be open at once."""
        return AdmissionPolicy(per_user=self.max_sessions_per_user)


@frozen(kw_only=True)
class Variable:
    """One variable of the environment.

    Attributes:
        default: As it would be written; None where nothing holds.
        is_secret: Its value is shown to nobody.
    """

    name: str
    default: str | None
    meaning: str
    is_secret: bool


_SPOKEN_BY: Final = (Settings, LiveKitSettings)


def variables() -> Iterator[Variable]:
    """Yield every variable that a server listens to, in the order of the documents."""
    for settings in _SPOKEN_BY:
        prefix = settings.model_config.get("env_prefix", "")
        for name, field in settings.model_fields.items():
            yield Variable(
                name=f"{prefix}{name}".upper(),
                default=_written(field.default),
                meaning=field.description or "",
                is_secret=_is_secret(field),
            )


def load(env_file: Path | None = None) -> tuple[Settings, LiveKitSettings]:
    """Return what the environment says; it goes before what stands in the file.

    Args:
        env_file: ``.env`` in the current folder by default; it need not be there.

    Raises:
        InvalidConfig: A variable holds what it may not; the error names it, and no secret.
    """
    file = env_file or Path(".env")
    return _read(Settings, file), _read(LiveKitSettings, file)


def _read(kind: type[_S], file: Path) -> _S:
    try:
        return kind(_env_file=file)
    except ValidationError as error:
        raise _refusal(kind, error) from None  # pydantic's own message repeats what was given


def _refusal(kind: type[BaseSettings], error: ValidationError) -> InvalidConfig:
    first = error.errors(include_url=False)[0]
    prefix = kind.model_config.get("env_prefix", "")
    if not first["loc"]:  # of several variables together, which the message names
        return InvalidConfig(f"{prefix}…", "incomplete", first["msg"].partition(", ")[2])
    name = str(first["loc"][0])
    is_secret = _is_secret(kind.model_fields[name])
    given = "a secret that cannot be used" if is_secret else first["input"]
    return InvalidConfig(f"{prefix}{name}".upper(), given, first["msg"])


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in get_args(field.annotation)


def _written(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
