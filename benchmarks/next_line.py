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

from helpers.config import ASSETS
from helpers.metrics import CharacterAssociation, choice_accuracy, line_choices
from helpers.poems import PoemReader, PoemWriter, read_ccpc, read_split, source_text, target_text, without_lines


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

    def likelihoods(sources: Sequence[str]) -> np.ndarray:
        """The log-probability of each line behind its source: (poems, lines)."""
        pairs = zip(sources, map(target_text, lines), strict=True)
        return writer.pair_log_likelihoods(pairs)[0].numpy().reshape(len(tests), -1)

    untold = [source_text((), poem[:3], len(poem[0])) for poem, row in tests for _ in row]
    told = likelihoods([source_text(keywords[poem], poem[:3], len(poem[0])) for poem, row in tests for _ in row])
    likelihood, alone = likelihoods(untold), likelihoods(list(map(without_lines, untold)))
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
