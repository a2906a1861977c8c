"""The figures of the poem model: form, rhyme, keywords, copies, diversity and perplexity.

    python -m benchmarks.poems --ccpc ccpc_valid_v1.0.json --lines runs/lines.txt

1,000 poems of ccpc_valid lend their keywords and forms; no poem that shares two lines with ccpc_valid was trained
on. LINES (training/write_lines.py) holds the training poems' lines, to count copies. One JSON object on stdout.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from helpers.config import ASSETS
from helpers.evaluate import copied_lines, distinct_n, keyword_recall, verse_rates
from helpers.poem_t5 import PoemWriter
from helpers.poems import Quatrain, read_ccpc
from helpers.verse import FORMS

BATCH = 100


def write_all(writer: PoemWriter, poems: list[Quatrain], **options: float | bool) -> list[tuple[tuple[str, ...], ...]]:
    """(keywords, lines) of one new poem for each of `poems`, with its keywords and form."""
    written = []
    for form in FORMS:
        keyword_sets = [poem.keywords for poem in poems if poem.form == form]
        for start in range(0, len(keyword_sets), BATCH):
            batch = writer.write_batch(keyword_sets[start : start + BATCH], form, seed=start, n=1, **options)
            written += [(poem.keywords, poem.lines) for (poem,) in batch]
    return written


def figures(written: list, training_lines: set[str]) -> dict[str, float]:
    keyword_sets, lines = zip(*written, strict=True)
    return verse_rates(lines) | {
        "keyword_recall": keyword_recall(lines, keyword_sets),
        "copied_lines": copied_lines(lines, training_lines),
        "distinct_2": distinct_n(lines, 2),
    }


def perplexity(writer: PoemWriter, poems: list[Quatrain]) -> float:
    """Per Han character: what the end-of-line tokens cost is counted in, the tokens themselves are not."""
    means = writer.log_likelihoods([p.keywords for p in poems], [p.lines for p in poems])  # (N,) nats a token
    characters = torch.tensor([len("".join(poem.lines)) for poem in poems])  # (N,)
    nats = -(means * (characters + 4)).sum()  # four end-of-line tokens a poem
    return math.exp(nats.item() / characters.sum().item())


def trigram_perplexity(lines: list[str], poems: list[Quatrain]) -> float:
    """The same of a trigram of characters, for scale: interpolated as by Witten and Bell (1991), without keywords.

    `lines` are those of the training poems, four a poem; characters that occur once there count as one unknown one.
    """
    from nltk.lm import Vocabulary, WittenBellInterpolated
    from nltk.util import everygrams

    training = [line_tokens(lines[start : start + 4]) for start in range(0, len(lines), 4)]
    vocabulary = Vocabulary((token for poem in training for token in poem), unk_cutoff=2)
    model = WittenBellInterpolated(3, vocabulary=vocabulary)
    model.fit(everygrams(poem, max_len=3) for poem in training)
    rows = [line_tokens(poem.lines) for poem in poems]
    bits = -sum(model.logscore(row[i], row[i - 2 : i]) for row in rows for i in range(2, len(row)))
    return 2 ** (bits / sum(len("".join(poem.lines)) for poem in poems))


def line_tokens(lines: Sequence[str]) -> list[str]:
    """Characters with an end after each line, as the T5 has them, and two starts for the first character's context."""
    return ["<s>", "<s>", *(token for line in lines for token in (*line, "</s>"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ccpc", type=Path, required=True)
    parser.add_argument("--lines", type=Path, required=True)
    parser.add_argument("--model", default=ASSETS / "poem_t5")
    parser.add_argument("--n", type=int, default=1000)
    args = parser.parse_args()

    writer = PoemWriter.from_pretrained(args.model)
    lines = args.lines.read_text(encoding="utf-8").split()
    training_lines = set(lines)
    poems = random.Random(0).sample([poem for poem in read_ccpc(args.ccpc) if poem.keywords], args.n)
    report: dict[str, object] = {"poems": len(poems), "perplexity_per_character": perplexity(writer, poems)}
    report["trigram_perplexity_per_character"] = trigram_perplexity(lines, poems)
    report["humans"] = figures([(p.keywords, p.lines) for p in poems], training_lines)
    for name, options in {
        "as_shipped": {},
        "with_tones": {"tone": True},
        "without_keyword_bonus": {"keyword_bonus": 0.0},
        "length_only": {"rhyme": False, "no_repeat": False, "keyword_bonus": 0.0},
    }.items():
        started = time.perf_counter()
        report[name] = figures(write_all(writer, poems, **options), training_lines)
        report[name]["seconds"] = time.perf_counter() - started
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
