"""Rooms stay small enough to be read in one go."""

import ast
from collections.abc import Iterator
from pathlib import Path

import voicesession

PACKAGE = Path(voicesession.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

MODULE_LINES, FUNCTION_LINES, CLASS_LINES, PARAMETERS = 400, 60, 250, 7

LARGER_ON_PURPOSE = {
    # A contract has one class for each question, and as many tests as the port has rules.
    "testing/contracts",
    # The face of the floor: a short method for each fact, and most of it says what that means.
    "core/floor/conversation.py",
    # Tables as they once stood, column after column.
    "stores/sql/migrations/versions",
}


def too_large(path: Path) -> Iterator[str]:
    text = path.read_text()
    if text.count("\n") > MODULE_LINES:
        yield f"module: {text.count(chr(10))} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > (CLASS_LINES if isinstance(node, ast.ClassDef) else FUNCTION_LINES):
                yield f"{node.name}: {lines} lines"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            own = [a for a in arguments if a.arg not in ("self", "cls")]
            if len(own) > PARAMETERS and path.parent.name != "cli":  # there it is an option each
                yield f"{node.name}: {len(own)} parameters"


def is_larger_on_purpose(path: Path) -> bool:
    name = path.relative_to(PACKAGE).as_posix()
    return any(name.startswith(place) for place in LARGER_ON_PURPOSE)


def test_every_room_is_small_enough() -> None:
    small = [path for path in MODULES if not is_larger_on_purpose(path)]
    faults = {str(path): list(too_large(path)) for path in small}
    assert {path: found for path, found in faults.items() if found} == {}


def test_there_is_no_room_for_odds_and_ends() -> None:
    forbidden = {"utils", "helpers", "common", "base", "misc"}
    assert not {path.stem for path in MODULES} & forbidden
