"""Hubs among the pictures and captions of Flickr8k-CN, and the gain of three corrections.

    python -m benchmarks.hubness --flickr data/flickr8k [--model DIR] [--language zh]

Measured on val; the bank is 5,000 captions or 2,000 pictures of train, so no correction sees another query of val. Our
own models were trained on that bank, which makes it a little unlike new queries. One JSON object on standard output.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS, load_config
from helpers.data import flatten, load_captions
from helpers.metrics import centred, csls, inverted_softmax, k_occurrence, recall_of_scores, skewness

BANK_PICTURES, BANK_CAPTIONS = 2000, 5000


def corrected(scores: np.ndarray, bank: np.ndarray, relevant: np.ndarray) -> dict[str, dict]:
    """Skewness of the 10-occurrence and recall@1/5/10, before and after: scores and relevant (Q, N), bank (R, N)."""
    ways = {
        "as it is": scores,
        "centred": centred(scores, bank),
        "csls": csls(scores, bank),
        "inverted softmax": inverted_softmax(scores, bank),
    }
    figures = {}
    for name, values in ways.items():
        counts = k_occurrence(values)
        figures[name] = {
            "skewness": skewness(counts),
            "most_frequent": int(counts.max()),
            "never_found": float((counts == 0).mean()),
            "recall": recall_of_scores(values, relevant),
        }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flickr", type=Path, required=True)
    parser.add_argument("--model", default=str(ASSETS / "image_text"))
    parser.add_argument("--language", choices=("en", "zh"), default="zh")
    args = parser.parse_args()

    load_config()  # offline
    encoder = ImageTextEncoder.from_pretrained(args.model)
    val, train = load_captions(args.flickr, "val"), load_captions(args.flickr, "train")
    texts, owners = flatten(val.in_language(args.language))
    bank_texts, _ = flatten(train.in_language(args.language))
    image_embeds = encoder.encode_images(val.pictures)  # (N, D)
    text_embeds = encoder.encode_texts(texts)  # (M, D)
    some = np.random.default_rng(0).permutation(len(bank_texts))[:BANK_CAPTIONS]
    bank_captions = encoder.encode_texts([bank_texts[i] for i in some])
    bank_pictures = encoder.encode_images(train.first(BANK_PICTURES).pictures)
    own = owners[:, None] == np.arange(len(val))  # (M, N)
    figures = {
        "text_to_image": corrected(text_embeds @ image_embeds.T, bank_captions @ image_embeds.T, own),
        "image_to_text": corrected(image_embeds @ text_embeds.T, bank_pictures @ text_embeds.T, own.T),
    }
    print(json.dumps({"model": Path(args.model).name, "language": args.language, **figures}, indent=1))


if __name__ == "__main__":
    main()
