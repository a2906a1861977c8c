"""Poem corpora, the keywords inside a poem, and the (keywords + lines so far) -> next line pairs.

Two corpora are read: THU-CCPC (json lines, Guo et al. 2019) and chinese-poetry (a folder of json files in
traditional characters). Both become `Quatrain`s in simplified characters.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.verse import FORMS, is_han

KEYWORD_PREFIX = "关键词:"


@dataclass(frozen=True)
class Quatrain:
    """Four lines of equal length, in simplified characters; `keywords` are words of the poem itself."""

    lines: tuple[str, str, str, str]
    title: str = ""
    author: str = ""
    keywords: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        return f"{len(self.lines[0])}x4"


def is_quatrain(lines: Sequence[str]) -> bool:
    """Four lines, each of 5 or each of 7 Han characters."""
    lengths = {len(line) for line in lines}
    return len(lines) == 4 and len(lengths) == 1 and lengths <= set(FORMS.values()) and all(map(is_han, "".join(lines)))


def read_ccpc(path: str | Path) -> list[Quatrain]:
    """Quatrains of a CCPC json-lines file (content `a|b|c|d`, keywords separated by spaces)."""
    poems = []
    for row in map(json.loads, Path(path).read_text(encoding="utf-8").splitlines()):
        lines = tuple(row["content"].split("|"))
        if is_quatrain(lines):
            keywords = tuple(row.get("keywords", "").split())
            poems.append(Quatrain(lines, row.get("title", ""), row.get("author", ""), keywords))
    return poems


def read_chinese_poetry(folder: str | Path) -> Iterator[Quatrain]:
    """Unique quatrains below `folder` (poet.tang.*.json, poet.song.*.json), traditional -> simplified by OpenCC.

    A poem counts as a quatrain if its text falls into exactly four lines of 5 or 7 characters.
    """
    from opencc import OpenCC  # pure Python; only needed when a corpus is prepared

    convert = OpenCC("t2s").convert

    def simplify(text: str) -> str:
        return convert(text).replace("馀", "余")  # OpenCC keeps 馀; CCPC and our keywords write 余

    seen = set()
    for path in sorted(Path(folder).rglob("poet.*.json")):
        if path.parent.name == "error":
            continue
        for row in json.loads(path.read_text(encoding="utf-8")):
            text = "".join(row["paragraphs"])
            lines = [part for part in text.translate(_PUNCTUATION).split() if part]
            if not is_quatrain(lines):
                continue
            lines = tuple(simplify(" ".join(lines)).split())
            if is_quatrain(lines) and lines not in seen:
                seen.add(lines)
                yield Quatrain(lines, simplify(row.get("title", "")), simplify(row.get("author", "")))


_PUNCTUATION = str.maketrans(dict.fromkeys("，。！？；、,.!?;：", " "))


def without_shared_lines(poems: Iterable[Quatrain], held_out: Iterable[Quatrain], shared: int = 2) -> list[Quatrain]:
    """`poems` without every poem that has `shared` or more lines in common with one of `held_out`."""
    owner: dict[str, set[int]] = {}
    for index, poem in enumerate(held_out):
        for line in set(poem.lines):
            owner.setdefault(line, set()).add(index)

    def leaks(poem: Quatrain) -> bool:
        hits = Counter(index for line in set(poem.lines) for index in owner.get(line, ()))
        return any(count >= shared for count in hits.values())

    return [poem for poem in poems if not leaks(poem)]


def words_of(line: str) -> list[str]:
    """The two-character words a line can be read as: 2+2+3 (七言) or 2+3 (五言), the last three either 2+1 or 1+2."""
    starts = {5: (0, 2, 3), 7: (0, 2, 4, 5)}[len(line)]
    return [line[start : start + 2] for start in starts]


def segment(line: str, counts: Counter[str]) -> list[str]:
    """`words_of(line)` with the last three characters read the one way, 2+1 or 1+2, that the corpus has more often."""
    *head, early, late = words_of(line)
    return [*head, max(early, late, key=lambda word: counts[word])]


def count_words(poems: Iterable[Quatrain]) -> Counter[str]:
    """How often each two-character word candidate occurs in a corpus."""
    return Counter(word for poem in poems for line in poem.lines for word in words_of(line))


def sample_keywords(
    lines: Sequence[str], counts: Counter[str], rng: random.Random, *, min_count: int = 20, single: float = 0.15
) -> list[str]:
    """One to five words of the poem, at most two a line, in random order, as CCPC's extraction would give them.

    Only words that occur `min_count` times in the corpus count as words; now and then (`single`) a word is cut
    to one of its characters, since CCPC has such keywords too.
    """
    pool = [(word, line) for line in lines for word in segment(line, counts) if counts[word] >= min_count]
    rng.shuffle(pool)
    wanted, chosen, load = rng.choice((1, 2, 3, 3, 4, 4, 4, 4, 5)), [], Counter()
    for limit in (1, 2):  # first one word a line, then a second
        for word, line in pool:
            overlaps = any(set(word) & set(other) for other in chosen)
            if len(chosen) < wanted and load[line] < limit and not overlaps:
                chosen.append(word)
                load[line] += 1
    return [rng.choice(word) if rng.random() < single else word for word in chosen]


def source_text(keywords: Sequence[str], lines: Sequence[str], eos: str) -> str:
    """`关键词:k1 k2 k3` + EOS + the lines so far, each + EOS: what the encoder reads (the seed formulation)."""
    return KEYWORD_PREFIX + " ".join(keywords) + eos + "".join(line + eos for line in lines)


def target_text(line: str, eos: str) -> str:
    """The next line + EOS: what the decoder learns to write."""
    return line + eos
