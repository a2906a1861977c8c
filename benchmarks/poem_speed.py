"""Poems a second, against the loop of the published image-to-poem code: one poem at a time, one `generate` a line, no
cache. Same model, same keywords, same way of sampling; ours keeps the rules of verse besides, the peer does not.

    python -m benchmarks.poem_speed

One JSON object on stdout: poems a second, and ratios to the peer of the same run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial

import torch

from benchmarks.timing import speeds_beside_peer
from helpers.config import ASSETS
from helpers.options import PoemOptions
from helpers.poems import MIN_P, Poem, PoemWriter, encode, read_split, source_text

LINE_TOKENS = 9  # 7 characters and what may stand around them: the peer has no rule that ends a line


@torch.inference_mode()
def peer(writer: PoemWriter, keyword_sets: Sequence[Sequence[str]]) -> list[list[str]]:
    """Four separate `generate` calls a poem, without a cache."""
    poems = []
    for keywords in keyword_sets:
        lines: list[str] = []
        for _ in range(4):
            source = torch.tensor(encode(writer.tokenizer, [source_text(keywords, lines, 7)]))  # (1, S)
            output = writer.model.generate(input_ids=source, use_cache=False, max_new_tokens=LINE_TOKENS, **MIN_P)
            lines.append(writer.tokenizer.decode(output[0], skip_special_tokens=True).replace(" ", ""))
        poems.append(lines)
    return poems


def write_all(write: Callable[[Sequence[Sequence[str]]], object], keyword_sets: Sequence, batch: int) -> None:
    for start in range(0, len(keyword_sets), batch):
        write(keyword_sets[start : start + batch])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=ASSETS / "poem_t5")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()

    writer = PoemWriter.from_pretrained(args.model)
    keyword_sets = [poem.keywords for poem in read_split(ASSETS / "poems", "test")[:128]]
    options = PoemOptions(n=1, keyword_per_line=False)

    def ours(sets: Sequence[Sequence[str]]) -> list[list[Poem]]:
        return writer.write_batch(sets, options)

    ways = {
        "peer": (lambda sets: peer(writer, sets), 1, 16),
        "batch_1": (ours, 1, 16),
        "batch_64": (ours, 64, 128),
    }
    for write, batch, _ in ways.values():
        write(keyword_sets[:batch])  # tables and caches are made at the first call
    calls = {name: partial(write_all, write, keyword_sets[:sets], batch) for name, (write, batch, sets) in ways.items()}
    speeds, ratios = speeds_beside_peer(calls, {name: sets for name, (_, _, sets) in ways.items()}, args.rounds)
    print(json.dumps({"poems_a_second": speeds, **ratios}, indent=1))


if __name__ == "__main__":
    main()
