"""The poems of chinese-poetry, without variants, in splits that share none; and the sample of them that is shipped.

Besides the quatrains, which are split, the longer poems in fours of lines (`fragments.json`): more couplets to
learn from, none of them like one that is held out.

    python -m recipes.poem_t5.prepare_poems --corpus CHINESE_POETRY --exclude ccpc_valid_v1.0.json --out runs/poems \
        --sample helpers/assets/poems

CHINESE_POETRY is the unpacked registry package (`npm pack chinese-poetry@2.0.1`). Every poem that is much like one of
an --exclude file is left out (`helpers.poems.splits`).
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from helpers.keywords import load_vocabulary
from helpers.poems import (
    Quatrain,
    count_words,
    keywords_or_part,
    read_ccpc,
    read_chinese_poetry,
    read_fragments,
    read_split,
    split_poems,
    without_variants,
    without_variants_of,
    write_ccpc,
)

MIN_COUNT = 3  # rarer characters have no place in the vocabulary; poems that use them are left out
HELD_OUT = ("test", "valid")
SAMPLE = {"train": 8000, "valid": 500, "test": 500}


def prepare(corpus: Path, exclude: Sequence[Path]) -> list[Quatrain]:
    """The quatrains to train and to test with, none a variant of another or of an excluded one."""
    held_out = [poem for path in exclude for poem in read_ccpc(path)]
    poems = without_variants(without_variants_of(read_chinese_poetry(corpus), held_out))
    characters = vocabulary(poems)
    return [poem for poem in poems if characters.issuperset("".join(poem.lines))]


def vocabulary(poems: Iterable[Quatrain]) -> set[str]:
    """The characters a poem model should know: those that are not rare, and all of the keyword list.

    None that the brush of the cards lacks: Ma Shan Zheng has the characters of GB 2312.
    """
    counts = Counter(char for poem in poems for line in poem.lines for char in line)
    frequent = {char for char, count in counts.items() if count >= MIN_COUNT and brush_has(char)}
    return frequent | {char for keyword in load_vocabulary() for char in keyword.word}


def brush_has(char: str) -> bool:
    """True for a character of GB 2312."""
    try:
        return bool(char.encode("gb2312"))
    except UnicodeEncodeError:
        return False


def hold_out(poems: Sequence[Quatrain], shipped: Path, split: str) -> tuple[list[Quatrain], list[Quatrain]]:
    """(training poems, held-out poems): those that are shipped already, or new ones.

    A model that goes on from an earlier one must not be measured on what that one learnt.
    """
    if not list(shipped.glob(f"*_{split}.json")):
        return split_poems(poems, SAMPLE[split])
    kept = [replace(poem, keywords=()) for poem in read_split(shipped, split)]
    return without_variants_of(poems, kept), kept


def sample(poems: Sequence[Quatrain], size: int, counts: Counter[str], seed: int = 0) -> list[Quatrain]:
    """`size` poems, with words of their own as keywords: CCPC comes with keywords, this corpus does not."""
    rng = random.Random(seed)
    chosen = rng.sample(poems, min(size, len(poems)))
    return [replace(poem, keywords=tuple(keywords_or_part(poem.lines, counts, rng))) for poem in chosen]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--exclude", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sample", type=Path, required=True)
    args = parser.parse_args()

    splits: dict[str, list[Quatrain]] = {"train": prepare(args.corpus, args.exclude)}
    for name in HELD_OUT:
        splits["train"], splits[name] = hold_out(splits["train"], args.sample, name)
    characters = vocabulary(splits["train"])
    held_out = [*splits["test"], *splits["valid"], *(poem for path in args.exclude for poem in read_ccpc(path))]
    fragments = [
        poem
        for poem in without_variants_of(read_fragments(args.corpus), held_out)
        if characters.issuperset("".join(poem.lines))
    ]
    counts = count_words(splits["train"])
    for folder in (args.out, args.sample):
        folder.mkdir(parents=True, exist_ok=True)
    for name, poems in splits.items():
        write_ccpc(poems, args.out / f"poems_{name}.json")
        write_ccpc(sample(poems, SAMPLE[name], counts), args.sample / f"poems_{name}.json")
        print(f"{name}: {len(poems):,} poems")
    write_ccpc(fragments, args.out / "fragments.json")
    print(f"fragments: {len(fragments):,}")


if __name__ == "__main__":
    main()
