"""What a benchmark prints: a figure a line, or one JSON object."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

__all__ = ("Figures", "told")

Figures: TypeAlias = dict[str, float]


def told(
    parser: argparse.ArgumentParser,
    measure: Callable[[argparse.Namespace], Coroutine[Any, Any, Figures]],
) -> None:
    """Read the arguments of the process, measure what they ask for, and print it."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    figures = {name: round(value, 3) for name, value in asyncio.run(measure(arguments)).items()}
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):40}{value:14,.3f}")
