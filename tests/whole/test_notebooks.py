"""Every notebook and solution runs from top to bottom, and what is stored in them is fit to be read."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from helpers import checks

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SOLUTIONS = sorted((FOLDER / "solutions").glob("*.ipynb"))
MAX_LINES = 40  # of a code cell
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|Users|tmp|var|work|mnt|opt)/|\b[A-Z]:\\\\?Users")
CHECKS = [name for name in dir(checks) if name.startswith("check_")]


def name_of(path: Path) -> str:
    return path.stem


def each_alone(paths: list[Path]) -> list:
    """Parameters of tests that take as long as whole files of others: with -n each may have a process to itself."""
    return [pytest.param(path, id=path.stem, marks=pytest.mark.xdist_group(path.stem)) for path in paths]


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def exercises_of(notebook) -> list:
    """The code cells below the heading of the exercises."""
    start = next(i for i, cell in enumerate(notebook.cells) if re.search("^## .*Exercises", cell.source, re.MULTILINE))
    return [cell for cell in notebook.cells[start:] if cell.cell_type == "code"]


def outputs_of(notebook) -> list:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def printed(notebook, stream: str = "stdout") -> str:
    return "".join(o.text for o in outputs_of(notebook) if o.output_type == "stream" and o.name == stream)


def texts_of(notebook) -> list[str]:
    """All that is written in it, without the pictures."""
    sources = [cell.source for cell in notebook.cells]
    data = [o.data for o in outputs_of(notebook) if "data" in o]
    return [*sources, printed(notebook), *(v for bundle in data for k, v in bundle.items() if k.startswith("text/"))]


def run(path: Path):
    """The notebook after a run in a fresh kernel; a cell that fails raises CellExecutionError."""
    notebook = nbformat.read(path, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": FOLDER}}).execute()
    return notebook


@pytest.fixture(params=NOTEBOOKS + SOLUTIONS, ids=name_of)
def stored(request):
    return nbformat.read(request.param, as_version=4)


@pytest.mark.parametrize("path", each_alone(NOTEBOOKS))
def test_notebook_runs_with_its_exercises_unsolved(path):
    notebook = run(path)
    assert printed(notebook, "stderr") == ""
    calls = sum("check_" in cell.source for cell in exercises_of(notebook))
    assert printed(notebook).count(": not yet. ") == calls  # of an empty or a faulty function, once


@pytest.mark.parametrize("path", each_alone(SOLUTIONS))
def test_solutions_run_and_pass_their_checks(path):
    notebook = run(path)
    assert printed(notebook, "stderr") == ""
    assert ": ok\n" in printed(notebook)
    assert "not yet" not in printed(notebook)


def test_every_notebook_has_solutions():
    assert {path.stem[:2] for path in NOTEBOOKS} == {path.stem[:2] for path in SOLUTIONS}


def test_notebook_is_valid(stored):
    nbformat.validate(stored)


def test_no_error_and_no_warning_is_stored(stored):
    assert [o for o in outputs_of(stored) if o.output_type == "error"] == []
    assert printed(stored, "stderr") == ""


def test_code_cells_are_short(stored):
    assert max(len(cell.source.splitlines()) for cell in code_cells(stored)) <= MAX_LINES


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name_of)
def test_outputs_come_from_one_clean_run(path):
    counts = [cell.execution_count for cell in code_cells(nbformat.read(path, as_version=4))]
    assert counts == list(range(1, len(counts) + 1))


def test_no_path_of_a_machine(stored):
    assert [text for text in texts_of(stored) if MACHINE_PATH.search(text)] == []


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize(
    ("fn", "hint"),
    [(lambda *args: ..., "It raised"), (lambda *args: None, "returns nothing"), (lambda: 1, "It raised TypeError")],
    ids=["ellipsis", "none", "wrong signature"],
)
def test_checks_tell_and_never_raise(name, fn, hint, capsys):
    getattr(checks, name)(fn)
    out, err = capsys.readouterr()
    assert ": not yet. " in out and out.count("\n") == 1 and err == ""
    if hint != "It raised":
        assert hint in out
