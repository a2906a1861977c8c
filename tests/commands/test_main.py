"""The command itself: fast to start, under two names, and its output is UTF-8 everywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.__main__ import build_parser

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "transformers", "datasets", "numpy", "pandas", "PIL", "matplotlib")


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=os.environ | environment, capture_output=True, check=True
    )


@pytest.mark.parametrize(
    "code",
    [
        "from helpers.__main__ import build_parser; build_parser().format_help()",
        "from helpers.poems import read_split; assert read_split('helpers/assets/poems', 'valid')",
    ],
    ids=["help", "poems"],
)
def test_imports_nothing_heavy(code) -> None:
    listing = python("-c", f"{code}; import sys; print(*sys.modules)").stdout.decode()
    assert set(listing.split()) & set(HEAVY) == set()


@pytest.mark.parametrize("script", ["/usr/bin/image-to-poem", "image-to-poem.exe", "helpers/__main__.py"])
def test_help_names_the_command_that_was_given(script, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", [script])
    assert build_parser().prog == ("python -m helpers" if script.endswith(".py") else "image-to-poem")


@pytest.mark.parametrize("code", ["import runpy; runpy.run_module('helpers', run_name='__main__')",
                                  "from helpers.__main__ import main; main()"], ids=["module", "script"])  # fmt: skip
def test_output_is_utf8_in_any_pipe(code) -> None:
    help_of_poem = f"import sys; sys.argv[1:] = ['poem', '--help']; {code}"
    assert "春,雨" in python("-c", help_of_poem, PYTHONIOENCODING="ascii").stdout.decode("utf-8")


@pytest.mark.parametrize(
    ("told", "used"),
    [({}, ["PASSIVE", "10000"]), ({"OMP_WAIT_POLICY": "ACTIVE"}, ["ACTIVE", "None"])],
    ids=["default", "told otherwise"],
)
def test_threads_wait_passively(told, used, monkeypatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    code = "import helpers, os; print(*map(os.environ.get, ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')))"
    assert python("-c", code, **told).stdout.decode().split() == used
