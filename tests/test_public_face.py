"""The public face: every name is there, in one place, and costs nothing before it is used."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import voicesession

PACKAGE = Path(voicesession.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.stem != "__main__"
)


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(voicesession, name) is not None for name in voicesession.__all__)
    assert set(voicesession.__all__) <= set(dir(voicesession))


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


def test_each_module_names_what_it_offers() -> None:
    for name in MODULES:
        module = importlib.import_module(name)
        assert module.__doc__, f"{name} says what lives there"
        offered = getattr(module, "__all__", ())
        assert isinstance(offered, tuple), name
        assert len(set(offered)) == len(offered), name
        assert [public for public in offered if not hasattr(module, public)] == [], name
