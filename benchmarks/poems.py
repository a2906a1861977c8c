"""The figures of the poem model: form, rhyme, tone, keywords, copies, diversity and perplexity.

    python -m benchmarks.poems --ccpc ccpc_valid_v1.0.json --poems runs/poems

1,000 poems of ccpc_valid lend their keywords and forms; no variant of a poem of ccpc_valid was trained on. POEMS
(of recipes/poem_t5) holds the poems that were: what copies are counted against, and what the trigram learns.
One JSON object on stdout.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import numpy as np
import torch

from helpers.config import ASSETS
from helpers.metrics import TrainingText, Trigram, distinct_n, keyword_first, keyword_recall, verse_rates
from helpers.options import FORMS, PoemOptions
from helpers.pipeline import best_first, broken_rules, sense_scores
from helpers.poems import PoemReader, PoemWriter, Quatrain, read_ccpc, read_split

BATCH = 100
ANYWHERE = {"keyword_per_line": False}
RULES_OFF = ANYWHERE | {"rhyme": False, "no_repeat": False, "tone": False}
VARIANTS = {  # as changes of the default
    "as_shipped": {},
    "without_tones": {"tone": False},
    "keywords_untouched": ANYWHERE,
    "length_only": RULES_OFF,
    "rhyme": RULES_OFF | {"rhyme": True},
    "no_repeat": RULES_OFF | {"no_repeat": True},
    "tone": RULES_OFF | {"tone": True},
    "keyword_per_line": RULES_OFF | {"keyword_per_line": True},
}
Written = list[tuple[tuple[str, ...], tuple[str, ...], float]]


def write_all(writer: PoemWriter, poems: list[Quatrain], **wishes: float | bool) -> Written:
    """(keywords, lines, log-likelihood) of one new poem for each of `poems`, with its keywords and form."""
    written = []
    for form in FORMS:
        keyword_sets = [poem.keywords for poem in poems if poem.form == form]
        for start in range(0, len(keyword_sets), BATCH):
            options = PoemOptions(form, n=1, seed=start, **wishes)
            batch = writer.write_batch(keyword_sets[start : start + BATCH], options)
            written += [(poem.keywords, poem.lines, poem.log_likelihood) for (poem,) in batch]
    return written


def write_chosen(writer: PoemWriter, reader: PoemReader, poems: list[Quatrain]) -> Written:
    """As `write_all`, but the best of as many candidates as one photo gets, by all that needs no picture."""
    written = []
    for poem in poems:
        options = PoemOptions(poem.form)
        (row,) = writer.write_batch([poem.keywords], options)
        likelihoods = np.array([[each.log_likelihood for each in row]])  # (1, n)
        coherence = reader.coherence([each.lines for each in row])[None]
        broken = np.array([[broken_rules(each.lines, options, each.keywords[:4]) for each in row]])
        best = row[best_first(sense_scores(likelihoods, coherence), broken)[0, 0]]
        written.append((best.keywords, best.lines, best.log_likelihood))
    return written


def figures(written: Written, training: TrainingText) -> dict[str, object]:
    keyword_sets, lines, likelihoods = zip(*written, strict=True)
    lengths = training.copy_lengths(lines)
    return verse_rates(lines, keyword_sets) | {
        "keyword_recall": keyword_recall(lines, keyword_sets),
        "keyword_first": keyword_first(lines, keyword_sets),
        "copied_lines": training.copied_lines(lines),
        "copied_poems": training.copied_poems(lines),
        "longest_copy": sum(size * count for size, count in lengths.items()) / lengths.total(),  # mean, characters
        "distinct_2": distinct_n(lines, 2),
        "perplexity_under_the_model": math.exp(-sum(likelihoods) / len(likelihoods)),
    }


def perplexity(poems: list[Quatrain], log_likelihoods: torch.Tensor) -> float:
    """Per Han character: what the end-of-line tokens cost is counted in, the tokens themselves are not.

    For a tokenizer of single characters.
    """
    characters = torch.tensor([len("".join(poem.lines)) for poem in poems])  # (N,)
    nats = -(log_likelihoods * (characters + 4)).sum()  # four end-of-line tokens a poem
    return math.exp(nats.item() / characters.sum().item())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ccpc", type=Path, required=True)
    parser.add_argument("--poems", type=Path, required=True)
    parser.add_argument("--model", default=ASSETS / "poem_t5")
    parser.add_argument("--reader", default=ASSETS / "poem_reader")
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--chosen", type=int, default=100, help="poems of each form that are the best of many")
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    args = parser.parse_args()

    writer = PoemWriter.from_pretrained(args.model)
    learnt = [poem.lines for poem in read_split(args.poems, "train")]
    training = TrainingText(line for poem in learnt for line in poem)
    poems = random.Random(0).sample([poem for poem in read_ccpc(args.ccpc) if poem.keywords], args.n)
    lines = [poem.lines for poem in poems]
    likelihoods = writer.log_likelihoods([poem.keywords for poem in poems], lines)
    report: dict[str, object] = {
        "poems": len(poems),
        "perplexity_per_character": perplexity(poems, likelihoods),
        "perplexity_without_keywords": perplexity(poems, writer.log_likelihoods([()] * len(poems), lines)),
        "trigram_perplexity_per_character": Trigram(learnt).perplexity(lines),  # which reads no keywords
    }
    human = zip((poem.keywords for poem in poems), lines, likelihoods.tolist(), strict=True)
    report["humans"] = figures(list(human), training)
    few = [poem for form in FORMS for poem in [poem for poem in poems if poem.form == form][: args.chosen]]
    report["chosen"] = figures(write_chosen(writer, PoemReader.from_pretrained(args.reader), few), training)
    for name in args.variants:
        started = time.perf_counter()
        report[name] = figures(write_all(writer, poems, **VARIANTS[name]), training)
        report[name]["seconds"] = time.perf_counter() - started
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
