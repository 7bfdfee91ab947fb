"""Whether a server measures is settled by its settings, and by what is installed."""

import sys

import pytest

from voicesession import InvalidConfig
from voicesession.cli.metrics import metrics_of
from voicesession.schemas.settings import AuthKind, Settings

EXPORTER = "opentelemetry.exporter.prometheus"


def settings(auth: AuthKind, *, metrics: bool | None) -> Settings:
    secret = "long enough for HS256, it is"  # noqa: S105  # of nothing
    return Settings.model_validate({"auth": auth, "metrics": metrics, "jwt_secret": secret})


def test_metrics_that_are_wanted_and_cannot_be_had_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, EXPORTER, None)
    with pytest.raises(InvalidConfig, match=r"VOICESESSION_METRICS.*voicesession\[prometheus\]"):
        metrics_of(settings(AuthKind.NONE, metrics=True))


def test_metrics_that_nobody_asked_for_are_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, EXPORTER, None)
    assert metrics_of(settings(AuthKind.NONE, metrics=None)) is None


@pytest.mark.parametrize(
    ("auth", "metrics"), [(AuthKind.NONE, False), (AuthKind.JWT, False), (AuthKind.JWT, None)]
)
def test_others_are_told_no_metrics_unless_a_setting_says_so(
    auth: AuthKind, metrics: bool | None
) -> None:
    assert metrics_of(settings(auth, metrics=metrics)) is None
