"""The house: few packages, small ones, whose faces name all that is in them; outside, only faces are known."""

import ast
import re
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
HELPERS = ROOT / "helpers"
PACKAGES = sorted(path.parent for path in HELPERS.glob("*/__init__.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
FACES = {f"helpers.{name}" for name in ("characters", "config", "options", "plots", *(p.name for p in PACKAGES))}


def name_of(path: Path) -> str:
    return path.stem


def files_of(package: Path) -> set[str]:
    """The modules of a package, but for its face and what makes it a command."""
    return {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}


def imported(source: str) -> set[str]:
    """The modules of ours that some code imports; a package that is imported from `helpers` is one of them."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"helpers.{alias.name}" for alias in node.names} if node.module == "helpers" else {node.module}
    return {name for name in found if name.split(".")[0] == "helpers"}


def test_sizes() -> None:
    assert len(PACKAGES) <= 19 and len(list(HELPERS.glob("*.py"))) <= 6
    assert {package.name: n for package in PACKAGES if (n := len(list(package.glob("*.py")))) > 9 + 1} == {}


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_a_face_names_its_files_and_hands_on_its_names(package) -> None:
    face = import_module(f"helpers.{package.name}")
    named = re.findall(r"^    ((?:\w+, )*\w+): ", face.__doc__, re.MULTILINE)
    assert set(", ".join(named).split(", ")) == files_of(package)
    assert not set(face.__all__) & files_of(package)  # else it would depend on what was imported before
    assert all(hasattr(face, name) for name in face.__all__)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_a_notebook_knows_a_dozen_faces_at_most(path) -> None:
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    found = set().union(*map(imported, cells)) - {"helpers"}
    assert found <= FACES and len(found) <= 12, sorted(found)


def test_contracts(monkeypatch, capsys) -> None:
    """As `lint-imports` finds them: layers without a circle, and nobody who imports past a face."""
    monkeypatch.chdir(ROOT)
    assert lint_imports() == 0, capsys.readouterr().out
