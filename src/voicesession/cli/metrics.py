"""What ``voicesession serve`` measures, as Prometheus reads it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from ..core.errors import InvalidConfig

if TYPE_CHECKING:
    from ..schemas.settings import Settings
    from ..web.options import MetricsSource

__all__ = ("metrics_of",)

_EXPORTER: Final = "opentelemetry-exporter-prometheus"
_SETTING: Final = "VOICESESSION_METRICS"


def metrics_of(settings: Settings) -> MetricsSource | None:
    """Return what gathers the metrics of this process; None where *settings* want none.

    Where they say nothing, metrics are kept for callers of this machine, if the exporter is
    installed. They are measured from here on, by the global provider of OpenTelemetry.

    Raises:
        InvalidConfig: They are wanted, and the exporter is not installed.
    """
    is_there = _is_installed()
    if settings.metrics and not is_there:
        raise InvalidConfig(_SETTING, "true", f"possible only with: pip install {_EXPORTER}")
    if not (is_there and _are_wanted(settings)):
        return None
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.metrics import set_meter_provider
    from opentelemetry.sdk.metrics import MeterProvider
    from prometheus_client import generate_latest

    set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    return generate_latest


def _are_wanted(settings: Settings) -> bool:
    from ..schemas.settings import AuthKind

    return settings.auth is AuthKind.NONE if settings.metrics is None else settings.metrics


def _is_installed() -> bool:
    try:
        return find_spec("opentelemetry.exporter.prometheus") is not None
    except ModuleNotFoundError:  # not even what exporters live in
        return False
