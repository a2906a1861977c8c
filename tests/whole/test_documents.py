"""The documents: their links lead somewhere, the map names every file, and every option is described."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from helpers.__main__ import build_parser

ROOT = Path(__file__).parents[2]
FOLDERS = ("", "docs", "benchmarks", "recipes", "helpers/assets/*")
DOCUMENTS = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.md"))
READMES = [ROOT / "README.md", ROOT / "README.zh.md"]
COMMAND = re.compile(r"python -m ((?:recipes|benchmarks|helpers)[\w.]*)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(text: str) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path) -> None:
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^()\s]+)\)", text):
        if "://" in link:
            continue
        name, _, anchor = unquote(link).partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_commands_name_modules(path) -> None:
    for module in COMMAND.findall(path.read_text(encoding="utf-8")):
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), module


@pytest.mark.parametrize("path", READMES, ids=name_of)
def test_a_readme_stays_short(path) -> None:
    assert path.stat().st_size <= 10 * 1024


@pytest.mark.parametrize("path", READMES, ids=name_of)
def test_the_map_names_every_file(path) -> None:
    rows = re.findall(r"^\| `(\w+)/`[^|]*\|(.+)\|$", path.read_text(encoding="utf-8"), re.MULTILINE)
    named = {(package, file) for package, files in rows for file in re.findall(r"`(\w+)`", files)}
    files = {(file.parent.name, file.stem) for file in (ROOT / "helpers").glob("*/*.py") if file.stem[:2] != "__"}
    assert named == files


def test_both_readmes_have_the_same_figures() -> None:
    english, chinese = (set(re.findall(r"\*\*([\d.%/ ]+)\*\*", path.read_text(encoding="utf-8"))) for path in READMES)
    assert english == chinese and len(english) == 8


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The commands without further commands below."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser
    for action in below:
        for command in action.choices.values():
            yield from leaves(command)


def test_every_option_is_described() -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for command in leaves(build_parser()):
        assert f"`{command.prog}" in text or f"\n{command.prog}" in text, command.prog
        for action in command._actions:
            for option in action.option_strings:
                assert option in ("-h", "--help") or re.search(rf"`{option}`", text), (command.prog, option)
