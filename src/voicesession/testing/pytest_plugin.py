"""
Fixtures for a host's tests. pytest finds them by itself where the package is installed.

Nothing is loaded before a test asks for it. The tests are asynchronous and run by anyio's
own plugin: mark them with ``pytest.mark.anyio``, or set ``anyio_mode = "auto"``. Who runs
tests with something else takes the same from `voicesession.testing.fake_sessions`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..runtime.manager import SessionManager
    from .fake_sessions import FakeSession
    from .stage import Stage

__all__ = ("active_session", "failing_session", "slow_session", "stage", "voice")


@pytest.fixture
async def stage() -> AsyncGenerator[Stage]:
    """A worker with everything in memory and time that is turned by hand."""
    from .stage import Stage

    async with Stage() as stage:
        yield stage


@pytest.fixture
def voice(stage: Stage) -> SessionManager:
    """The open manager of the stage."""
    return stage.voice


@pytest.fixture
async def active_session(stage: Stage) -> AsyncGenerator[FakeSession]:
    """A live session that repeats what it hears."""
    from .fake_sessions import fake_session

    async with fake_session("active", stage=stage) as fake:
        yield fake


@pytest.fixture
async def failing_session(stage: Stage) -> AsyncGenerator[FakeSession]:
    """A live session whose agent and synthesiser fail, until its faults are healed."""
    from .fake_sessions import fake_session

    async with fake_session("failing", stage=stage) as fake:
        yield fake


@pytest.fixture
async def slow_session(stage: Stage) -> AsyncGenerator[FakeSession]:
    """A live session whose agent thinks for five seconds before it speaks."""
    from .fake_sessions import fake_session

    async with fake_session("slow", stage=stage) as fake:
        yield fake
