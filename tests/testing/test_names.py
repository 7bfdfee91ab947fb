"""Every part of the kit can be had from one place, and costs nothing before it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from voicesession import testing


@pytest.mark.parametrize("name", testing.__all__)
def test_every_name_can_be_had(name: str) -> None:
    assert getattr(testing, name) is not None
    assert name in dir(testing)


def test_type_checkers_see_the_names_that_are_there() -> None:
    tree = ast.parse(Path(testing.__file__).read_text())
    shown = {
        (node.module, alias.asname)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert shown == {(home, name) for name, home in testing._HOME_OF.items()}


def test_the_overview_leaves_nothing_out() -> None:
    told = testing.__doc__ or ""
    untold = {name for name in testing.__all__ if f"`{name}`" not in told}
    assert untold <= {
        # With their suite, their maker or their kind named, the rest finds itself.
        *("AgentContract", "NoiseSuppressorContract", "TextToSpeechContract"),
        *("TurnDetectorContract", "VoiceActivityDetectorContract"),
        *("FakeKind", "FakeSession", "LineEnd", "PATIENT", "echo"),
    }


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = testing.nonsense


def test_the_plugin_loads_nothing_before_a_test_asks_for_it() -> None:
    program = "import sys, voicesession.testing.pytest_plugin; print(*sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = set(said.stdout.decode().split())
    assert "voicesession.testing.pytest_plugin" in loaded
    assert not loaded & {"anyio", "attr", "hypothesis", "opentelemetry", "pydantic", "sqlalchemy"}
