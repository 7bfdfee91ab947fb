"""What ``voicesession serve`` measures, as Prometheus reads it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from ..core.errors import InvalidConfig

if TYPE_CHECKING:
    from ..schemas.settings import Settings
    from ..web.options import MetricsSource

__all__ = ("are_measured", "metrics_of")

_INSTALLED_BY: Final = 'pip install "voicesession[prometheus]"'
_SETTING: Final = "VOICESESSION_METRICS"


def metrics_of(settings: Settings) -> MetricsSource | None:
    """Return what gathers the metrics of this process; None where *settings* want none.

    They are measured from here on, by the global provider of OpenTelemetry.

    Raises:
        InvalidConfig: They are wanted, and the exporter is not installed.
    """
    if not are_measured(settings):
        return None
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.metrics import set_meter_provider
    from opentelemetry.sdk.metrics import MeterProvider
    from prometheus_client import generate_latest

    set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    return generate_latest


def are_measured(settings: Settings) -> bool:
    """Return whether a server of *settings* has metrics.

    Where they do not say, it has if nobody is asked who they are, and the exporter is there.

    Raises:
        InvalidConfig: They are wanted, and the exporter is not installed.
    """
    from ..schemas.settings import AuthKind

    if settings.metrics is None:
        return settings.auth is AuthKind.NONE and _is_installed()
    if settings.metrics and not _is_installed():
        raise InvalidConfig(_SETTING, "true", f"possible only with: {_INSTALLED_BY}")
    return settings.metrics


def _is_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.prometheus") is not None
    except ModuleNotFoundError:  # not even what exporters live in
        return False
