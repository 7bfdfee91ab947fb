"""A worker that tells everything to readers in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from attrs import frozen
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from voicesession.runtime.telemetry import Telemetry
from voicesession.testing.stage import Stage


@frozen
class Told:
    """What OpenTelemetry has been told."""

    reader: InMemoryMetricReader
    exporter: InMemorySpanExporter

    def points(self) -> Iterator[tuple[str, Any]]:
        """Every series of every instrument, by its name."""
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        yield metric.name, point

    def series(self) -> set[tuple[str, frozenset[tuple[str, Any]]]]:
        return {(name, frozenset((p.attributes or {}).items())) for name, p in self.points()}

    def value(self, name: str, **labels: str) -> float:
        """The sum of a counter or gauge, or how often a histogram was told, over *labels*."""
        values: Iterator[float] = (
            point.value if isinstance(point, NumberDataPoint) else point.count
            for found, point in self.points()
            if found == name and labels.items() <= dict(point.attributes or {}).items()
        )
        return sum(values)

    def sum_s(self, name: str) -> float:
        """All that a histogram was told, in its unit."""
        sums: Iterator[float] = (point.sum for found, point in self.points() if found == name)
        return sum(sums)

    def spans(self, name: str) -> list[ReadableSpan]:
        """The finished spans of *name*, in the order of their ends."""
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture
def providers() -> Iterator[tuple[Told, Telemetry]]:
    reader, exporter = InMemoryMetricReader(), InMemorySpanExporter()
    meters = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    yield Told(reader, exporter), Telemetry(meter_provider=meters, tracer_provider=tracers)
    meters.shutdown()
    tracers.shutdown()


@pytest.fixture
def told(providers: tuple[Told, Telemetry]) -> Told:
    return providers[0]


@pytest.fixture
def telemetry(providers: tuple[Told, Telemetry]) -> Telemetry:
    return providers[1]


@pytest.fixture
async def stage(telemetry: Telemetry) -> AsyncGenerator[Stage]:
    async with Stage(telemetry=telemetry) as stage:
        yield stage
