"""What a caller may say when it creates or looks for sessions: the names of the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

__all__ = ("SessionFilters", "SessionParameters")


class SessionParameters(TypedDict, total=False):
    """Of a new session; each has the default of `voicesession.Session`.

    ``session_id`` is the host's own id, ``resume_session_id`` an earlier session of the
    same user that this one continues, ``session_template_id`` gives the defaults of what is
    not said here.
    """

    session_id: str
    user_id: str
    created_by: str
    mode: str
    language: str
    model: str
    encoding: str
    sample_rate: int
    channels: int
    store_audio: bool
    store_transcript: bool
    enhance_on_end: bool
    retention_days: int
    recording_consent: bool | None
    secrets_blurred: Sequence[str]
    resume_session_id: str | None
    session_template_id: str
    room_name: str
    modality_profile: str
    enabled_panels: Sequence[str]
    token_expiry: datetime
    device_type: str
    client_version: str
    client_ip: str
    key_hash: str
    metadata: Mapping[str, Any]


class SessionFilters(TypedDict, total=False):
    """Of a list; see `voicesession.ports.storage.SessionQuery`."""

    state: str
    status: str
    user_id: str
    mode: str
    since: datetime
    until: datetime
    metadata: Mapping[str, str]
    order: str
    limit: int
    cursor: str
    offset: int
