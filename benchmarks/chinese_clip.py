"""The figures of the embedded image-text model: words of real photos, and retrieval in both languages.

    python -m benchmarks.chinese_clip --data data

DATA holds photos/labels.json with images, and flickr8k/val.parquet; neither was trained on. --model: another model than
the embedded one, with its reference pictures beside it. One JSON object on standard output.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file

from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS
from helpers.data import flatten, read_parquet
from helpers.evaluate import LABELS, read_labelled_photos
from helpers.keywords import calibrated_scores, standard_scores
from helpers.metrics import recall_at_k, word_ranking
from helpers.pipeline import REFERENCE


def photo_words(encoder: ImageTextEncoder, folder: Path, reference: np.ndarray) -> dict[str, object]:
    """mAP and top-1 of the 24 label words on the labelled photos, with and without calibration."""
    photos = read_labelled_photos(folder)
    truth, image_embeds = photos.truth, encoder.encode_images(photos.images)
    text_embeds = encoder.encode_texts(LABELS)
    return {
        "photos": len(photos.names),
        "standardised": word_ranking(standard_scores(image_embeds, text_embeds, reference), truth),
        "calibrated": word_ranking(calibrated_scores(image_embeds, text_embeds, reference), truth),
        "cosine": word_ranking(image_embeds @ text_embeds.T, truth),
    }


def retrieval(encoder: ImageTextEncoder, parquet: Path) -> dict[str, object]:
    """recall@1/5/10 both ways on all photos and all captions of a Flickr8k-CN parquet."""
    data, figures = read_parquet(parquet), {}
    image_embeds = encoder.encode_images(data.pictures)
    for name, language in (("english", "en"), ("chinese", "zh")):
        texts, owners = flatten(data.in_language(language))
        figures[name] = recall_at_k(image_embeds, encoder.encode_texts(texts), owners)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=ASSETS / "image_text")
    args = parser.parse_args()

    encoder = ImageTextEncoder.from_pretrained(args.model)
    reference = load_file(args.model / REFERENCE)["image_embeds"].astype(np.float32)
    figures = {
        "threads": torch.get_num_threads(),
        "words": photo_words(encoder, args.data / "photos", reference),
        "flickr8k_val": retrieval(encoder, args.data / "flickr8k" / "val.parquet"),
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
