"""Put the trained poem T5 among the assets, in eight bits.

python -m recipes.poem_t5.export --model runs/poem_t5 --out helpers/assets/poem_t5
"""

from __future__ import annotations

import argparse
from pathlib import Path

from transformers import PreTrainedTokenizerFast, T5ForConditionalGeneration

from helpers.storage import save_quantized


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    model = T5ForConditionalGeneration.from_pretrained(args.model)
    args.out.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(args.out)
    tied = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}  # all are shared.weight
    state = {name: tensor for name, tensor in model.state_dict().items() if name not in tied}
    save_quantized(state, args.out / "model.int8.safetensors")
    PreTrainedTokenizerFast.from_pretrained(args.model).save_pretrained(args.out)


if __name__ == "__main__":
    main()
