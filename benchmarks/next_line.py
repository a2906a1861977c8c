"""The next-line test: the true fourth line among ten of the same rhyme and tones (chance 10%).

    python -m benchmarks.next_line --ccpc ccpc_valid_v1.0.json --poems runs/poems

By the second reader, by the poem model, by how much likelier a line is behind its poem than by itself, and by counting
which characters go together. One JSON object on stdout.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from helpers.config import ASSETS
from helpers.metrics import CharacterAssociation, choice_accuracy, line_choices
from helpers.poems import (
    IGNORED,
    PoemReader,
    PoemWriter,
    collate,
    read_ccpc,
    read_split,
    source_text,
    target_text,
    tokenize,
)

BATCH = 500


@torch.inference_mode()
def line_likelihoods(writer: PoemWriter, sources: Sequence[str], lines: Sequence[str]) -> np.ndarray:
    """Summed log-probability (nats) of each line behind its source: (N,)."""
    items = tokenize(writer.tokenizer, ((s, target_text(line)) for s, line in zip(sources, lines, strict=True)))
    sums = []
    for start in range(0, len(items), BATCH):
        batch = collate(items[start : start + BATCH], writer.tokenizer.pad_token_id)
        logits = writer.model(**batch, use_cache=False).logits.float()  # (B, T, V)
        losses = cross_entropy(logits.transpose(1, 2), batch["labels"], ignore_index=IGNORED, reduction="none")
        sums.append(-losses.sum(1))
    return torch.cat(sums).numpy()


def unread(source: str) -> str:
    """The same source without the lines."""
    head, end, _ = source.partition("</s>")
    return head + end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ccpc", type=Path, required=True)
    parser.add_argument("--poems", type=Path, required=True, help="of recipes/poem_t5: what is counted")
    parser.add_argument("--model", default=ASSETS / "poem_t5")
    parser.add_argument("--reader", default=ASSETS / "poem_reader")
    parser.add_argument("--n", type=int, default=1000)
    args = parser.parse_args()

    writer = PoemWriter.from_pretrained(args.model)
    held_out = read_ccpc(args.ccpc)
    keywords = {poem.lines: poem.keywords for poem in held_out}
    tests = line_choices([poem.lines for poem in held_out], args.n)
    lines = [line for _, row in tests for line in row]

    def score(told: str) -> np.ndarray:
        words = {"none": lambda poem: (), "all": lambda poem: keywords[poem]}[told]
        sources = [source_text(words(poem), poem[:3], len(poem[0])) for poem, row in tests for _ in row]
        alone = line_likelihoods(writer, list(map(unread, sources)), lines)
        return np.stack([line_likelihoods(writer, sources, lines), alone]).reshape(2, len(tests), -1)

    likelihood, alone = score("none")
    told, _ = score("all")
    reader = PoemReader.from_pretrained(args.reader)
    read = reader.scores([poem[:3] for poem, row in tests for _ in row], lines).reshape(len(tests), -1)
    counts = CharacterAssociation([poem.lines for poem in read_split(args.poems, "train")])
    association = np.array([[counts.score(poem, line) for line in row] for poem, row in tests])
    print(json.dumps({
        "poems": len(tests),
        "likelihood": choice_accuracy(likelihood),
        "likelihood_beyond_the_line_alone": choice_accuracy(likelihood - alone),
        "likelihood_told_all_keywords": choice_accuracy(told),
        "second_reader": choice_accuracy(read),
        "character_association": choice_accuracy(association),
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
