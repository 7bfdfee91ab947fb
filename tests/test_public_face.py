"""The public face: every name is there, in one place, and costs nothing before it is used."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import voicesession

PACKAGE = Path(voicesession.__file__).parent
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages([str(PACKAGE)], "voicesession.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", voicesession.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(voicesession, name) is not None
    assert name in dir(voicesession)


def test_type_checkers_see_the_names_that_are_there() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    shown = {
        (node.module, alias.asname)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    homes = {(home, name) for name, home in voicesession._HOME_OF.items()}
    assert shown == homes


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = voicesession.nonsense


def test_importing_the_package_loads_none_of_its_parts() -> None:
    program = "import sys, voicesession; print(*sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = set(said.stdout.decode().split())
    assert not loaded & {"anyio", "attr", "pydantic", "sqlalchemy", "asyncio", "opentelemetry"}


def test_the_manager_does_not_load_an_adapter() -> None:
    program = "import sys, voicesession; voicesession.open(); print(*sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = set(said.stdout.decode().split())
    assert not loaded & {"sqlalchemy", "typer", "rich", "pocketsphinx", "pytest", "hypothesis"}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_names_what_it_offers(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, "a module says what lives there"
    offered = getattr(module, "__all__", ())
    assert isinstance(offered, tuple)
    assert len(set(offered)) == len(offered)
    for public in offered:
        assert hasattr(module, public)
