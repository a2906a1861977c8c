"""One address, `config.REPOSITORY`, wherever it has to be written out, and one first cell in all notebooks."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from helpers.config import REPOSITORY

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
WRITTEN_OUT = [*ROOT.glob("README*.md"), ROOT / "pyproject.toml", *NOTEBOOKS]
OWNER_AND_NAME = REPOSITORY.removeprefix("https://github.com/")


def code_of(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", WRITTEN_OUT, ids=lambda path: path.name)
def test_the_address_is_that_of_config(path) -> None:
    """Links into it, and Colab's badges, included."""
    name = OWNER_AND_NAME.split("/")[1]
    text = path.read_text(encoding="utf-8")
    found = re.findall(rf"github\.com/([\w.-]+/{name})\b|colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)", text)
    assert {clone or badge for clone, badge in found} == {OWNER_AND_NAME}


def test_the_notebooks_begin_alike() -> None:
    (cell,) = {code_of(path)[0] for path in NOTEBOOKS}
    lines = [line for line in cell.splitlines() if line]
    assert len(lines) <= 10 and REPOSITORY in cell


def test_the_notebooks_fetch_this_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert {tag for path in NOTEBOOKS for tag in re.findall(r"-b (v\S+)", code_of(path)[0])} == {f"v{version}"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_helpers_is_imported_before_torch(path) -> None:
    """It says how torch's threads wait, and torch asks only once."""
    modules = [name for source in code_of(path)[:2] for name in imported(source)]
    assert "helpers" in modules and not {"torch", "transformers"} & set(modules[: modules.index("helpers")])


def imported(source: str) -> list[str]:
    nodes = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in nodes]
    return [name.split(".")[0] for name in names]
