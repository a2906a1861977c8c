"""Put the trained poem T5 among the assets, in eight bits.

    python -m recipes.poem_t5.export --model runs/poem_t5 --out helpers/assets/poem_t5

Of several models, the later ones trained on from the first, the mean of their weights: nearer to the middle of the
valley than either end of the way (Wortsman et al. 2022, "Model soups", arXiv:2203.05482).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import T5ForConditionalGeneration

from helpers.poems import PoemWriter
from helpers.storage import save_quantized


def mean_weights(models: Sequence[T5ForConditionalGeneration]) -> dict[str, torch.Tensor]:
    """One state of several models of one shape."""
    states = [model.state_dict() for model in models]
    return {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    writers = [PoemWriter.from_pretrained(folder) for folder in args.model]
    args.out.mkdir(parents=True, exist_ok=True)
    writers[0].model.config.save_pretrained(args.out)
    tied = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}  # all are shared.weight
    state = mean_weights([writer.model for writer in writers])
    save_quantized({k: v for k, v in state.items() if k not in tied}, args.out / "model.int8.safetensors")
    writers[0].tokenizer.save_pretrained(args.out)


if __name__ == "__main__":
    main()
