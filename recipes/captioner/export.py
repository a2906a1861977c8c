"""Put the trained captioner among the assets, in eight bits.

python -m recipes.captioner.export --model runs/captioner --out helpers/assets/captioner
"""

from __future__ import annotations

import argparse
from pathlib import Path

from helpers.captioning import Captioner, save_captioner


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    captioner = Captioner.from_pretrained(args.model)
    save_captioner(captioner.model, captioner.tokenizer, args.out, quantized=True)


if __name__ == "__main__":
    main()
