"""What holds for every test."""

import gc
import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, Phase, settings

# A sample of what `make proof` tries. A machine that is busy with something else is no reason for
# a property to fail.
settings.register_profile(
    "voicesession",
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "proof", settings.get_profile("voicesession"), max_examples=3_000, stateful_step_count=80
)
# A mutant is caught by the first example that fails, as small or large as it comes; the same
# examples each time, so that a survivor is one tomorrow as well.
settings.register_profile(
    "mutation",
    settings.get_profile("voicesession"),
    max_examples=25,
    stateful_step_count=30,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
)
settings.load_profile(os.environ.get("VOICESESSION_PROFILE", "voicesession"))


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: much is waited for, servers and voices in real time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among what is imported and collected: all of it stays until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
