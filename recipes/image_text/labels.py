"""What readers saw in photographs: words of keyword.txt, and how many photographs show each.

    python -m recipes.image_text.labels --scenes DATA/scenes/labels.json

writes these numbers into keyword.txt, for words that a picture can show. The labels are ours (`recipes/data`): 504
wallpapers by two readers, whose disagreements a third decided; 324 scenes by one. The scenes have a label of their own,
too. A fifth of the scenes is held back for measuring (`held_back`) and never seen here.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from helpers.config import ASSETS
from helpers.keywords import LABELLED
from helpers.storage import whole_file
from recipes.texts import DATA, rows_of

EVERY = 5  # of the scenes of each label, one in this many is held back


def wallpaper_labels(path: Path = DATA / "wallpaper_labels.tsv") -> dict[str, set[str]]:
    """File -> words that readers a or b named, without those that the third look (c) refused."""
    named: defaultdict[str, set[str]] = defaultdict(set)
    refused: defaultdict[str, set[str]] = defaultdict(set)
    for file, reader, words, light in rows_of(path):
        (refused if reader == "c" else named)[file].update(words.split(), light.split())
    return {file: words - refused[file] for file, words in named.items()}


def scene_labels(scenes: Path, path: Path = DATA / "scene_labels.tsv") -> dict[str, set[str]]:
    """File -> words: the own label of every scene that is not held back, and what a reader named in 324 of them."""
    own = {row["file"]: row["label"] for row in json.loads(scenes.read_text(encoding="utf-8"))}
    labels = {file: {own[file]} for file in sorted(own.keys() - held_back(own))}
    for file, words, light in rows_of(path):
        labels[file] |= {*words.split(), *light.split()}
    return labels


def held_back(own: dict[str, str]) -> set[str]:
    """Every fifth scene of each label, by file name: file -> label."""
    files = defaultdict(list)
    for file, label in sorted(own.items()):
        files[label].append(file)
    return {file for group in files.values() for file in group[EVERY - 1 :: EVERY]}


def read_scenes(path: Path = DATA / "scene_labels.tsv") -> set[str]:
    """The scenes whose words a reader named."""
    return {row[0] for row in rows_of(path)}


def named(labels: dict[str, set[str]], files: list[str], words: list[str]) -> np.ndarray:
    """Which of M words each of P files shows: (P, M)."""
    index = {word: i for i, word in enumerate(words)}
    table = np.zeros((len(files), len(words)), dtype=bool)
    for row, file in enumerate(files):
        table[row, [index[word] for word in labels.get(file, ()) if word in index]] = True
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, required=True)
    args = parser.parse_args()

    wallpapers, scenes, looked_at = wallpaper_labels(), scene_labels(args.scenes), read_scenes()
    photos = [*wallpapers.values(), *(scenes[file] for file in looked_at)]
    if len(photos) != LABELLED:
        raise ValueError(f"{len(photos)} photographs have labels, not {LABELLED}: mend helpers/keywords/vocabulary.py")
    counts = Counter(word for words in photos for word in words)
    path = ASSETS / "keyword.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    with whole_file(path) as unfinished:
        unfinished.write_text("".join(f"{counted(line, counts)}\n" for line in lines), encoding="utf-8")


def counted(line: str, counts: Counter[str]) -> str:
    """A row of keyword.txt with the number of photographs that show its word; comments and "-" stay."""
    cells = line.split("\t")
    if line[:1] in ("", "#") or cells[3:] == ["-"]:
        return line
    return "\t".join([*cells[:3], str(counts[cells[0]])])


if __name__ == "__main__":
    main()
