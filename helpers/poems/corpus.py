"""Poem corpora: THU-CCPC (json lines, Guo et al. 2019) and chinese-poetry (a folder of json files, traditional).

Both become `Quatrain`s in simplified characters and their usual forms (`helpers.characters`), and both can be kept as
CCPC's json lines, split by split.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from helpers.characters import is_han, usual_forms
from helpers.options import FORMS


@dataclass(frozen=True)
class Quatrain:
    """Four lines of equal length, in simplified characters; `keywords` are words of the poem itself."""

    lines: tuple[str, str, str, str]
    title: str = ""
    author: str = ""
    keywords: tuple[str, ...] = ()
    dynasty: str = ""

    @property
    def form(self) -> str:
        return f"{len(self.lines[0])}x4"


def is_quatrain(lines: Sequence[str]) -> bool:
    """Four lines, each of 5 or each of 7 Han characters."""
    lengths = {len(line) for line in lines}
    return len(lines) == 4 and len(lengths) == 1 and lengths <= set(FORMS.values()) and all(map(is_han, "".join(lines)))


def read_ccpc(path: str | Path) -> list[Quatrain]:
    """Quatrains of a CCPC json-lines file (content `a|b|c|d`, keywords separated by spaces).

    Poems of other forms are passed over. Raises ValueError for a line that is no such object.
    """
    poems = []
    for number, text in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        try:
            poem = parse_poem(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}, line {number}: not a poem as THU-CCPC writes them") from error
        if is_quatrain(poem.lines):
            poems.append(poem)
    return poems


def parse_poem(row: dict[str, str]) -> Quatrain:
    """One object of a CCPC file; only `content` has to be there."""
    title, author, dynasty = (row.get(name) or "" for name in ("title", "author", "dynasty"))
    content, keywords = usual_forms(row["content"]), usual_forms(row.get("keywords") or "")
    return Quatrain(tuple(content.split("|")), title, author, tuple(keywords.split()), dynasty)


def write_ccpc(poems: Iterable[Quatrain], path: str | Path) -> None:
    """The inverse of `read_ccpc`."""
    rows = (
        {"dynasty": poem.dynasty, "author": poem.author, "content": "|".join(poem.lines), "title": poem.title,
         "keywords": " ".join(poem.keywords)}
        for poem in poems
    )  # fmt: skip
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    Path(path).write_text(text, encoding="utf-8")


def read_split(folder: str | Path, split: str) -> list[Quatrain]:
    """The "train", "valid" or "test" split of a folder whose json lines are named as CCPC's: ccpc_train_v1.0.json.

    Raises ValueError unless there is exactly one such file, with quatrains in it.
    """
    found = sorted(Path(folder).glob(f"*_{split}*.json"))
    if len(found) != 1:
        raise ValueError(f"{folder} should hold one file *_{split}*.json of poems (as THU-CCPC does), not {len(found)}")
    poems = read_ccpc(found[0])
    if not poems:
        raise ValueError(f"{found[0]} holds no quatrain of 5 or 7 characters a line")
    return poems


def read_chinese_poetry(folder: str | Path) -> Iterator[Quatrain]:
    """Unique quatrains below `folder` (poet.tang.*.json, poet.song.*.json), traditional -> simplified by OpenCC.

    A poem counts as a quatrain if its text falls into exactly four lines of 5 or 7 characters.
    """
    return _unique(poem for poem in _poems(folder) if len(poem.lines) == 4)


def read_fragments(folder: str | Path) -> Iterator[Quatrain]:
    """Unique fours of neighbouring lines from all longer poems of `read_chinese_poetry`'s folder, a couplet never cut.

    Regulated verse (律诗) gives two: lines 1-4 and 5-8. A couplet that is left over stays out.
    """
    longer = (poem for poem in _poems(folder) if len(poem.lines) > 4 and len(poem.lines) % 2 == 0)
    return _unique(
        replace(poem, lines=poem.lines[i : i + 4]) for poem in longer for i in range(0, len(poem.lines) - 3, 4)
    )


def _unique(poems: Iterable[Quatrain]) -> Iterator[Quatrain]:
    seen = set()
    for poem in poems:
        if poem.lines not in seen and is_quatrain(poem.lines):
            seen.add(poem.lines)
            yield poem


def _poems(folder: str | Path) -> Iterator[Quatrain]:
    """All poems below `folder`, of any number of lines, in simplified characters and in their usual forms."""
    from opencc import OpenCC  # pure Python; only needed when a corpus is prepared

    convert = OpenCC("t2s").convert
    for path in sorted(Path(folder).rglob("poet.*.json")):
        if path.parent.name == "error":
            continue
        for row in json.loads(path.read_text(encoding="utf-8")):
            if "paragraphs" not in row:  # files of the same names beside the poems have their tones
                continue
            texts = ("".join(row["paragraphs"]), row.get("title", ""), row.get("author", ""))
            text, title, author = (usual_forms(convert(text)) for text in texts)
            lines = tuple(text.translate(_PUNCTUATION).split())
            yield Quatrain(lines, title, author, dynasty=path.name.split(".")[1].capitalize())


_PUNCTUATION = str.maketrans(dict.fromkeys("，。！？；、,.!?;：\n", " "))
