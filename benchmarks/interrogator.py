"""Asking pictures about tables of phrases: how long it takes, hubs, and whether another model agrees with the chain.

    python -m benchmarks.interrogator --data data

On the labelled photographs. The chain climbs the default encoder's score; the judge of `evaluate pipeline`, which had
no part, scores the same texts link by link. One JSON object on stdout.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from helpers.chinese_clip import ImageTextEncoder
from helpers.evaluate import Judge, read_labelled_photos
from helpers.keywords import standardised, word_statistics
from helpers.metrics import k_occurrence, skewness
from helpers.options import INTERROGATION_MODES
from helpers.pipeline import load_pipeline, reference_pictures

LINKS = 5  # of a chain that are shown, its caption not counted


def gains(rows: list[np.ndarray]) -> dict[str, object]:
    """Scores link by link of each photo, minus the caption's: means over the photos whose chain is so long."""
    steps = [[row[n] - row[n - 1] for row in rows if len(row) > n] for n in range(1, LINKS + 1)]
    return {
        "by link": [round(float(np.mean(step)), 3) for step in steps],
        "links that helped, %": [round(100 * float(np.mean(np.array(step) > 0)), 1) for step in steps],
        "whole": round(float(np.mean([row[-1] - row[0] for row in rows])), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()

    photos = read_labelled_photos(args.data / "photos")
    pipeline = load_pipeline("mini")
    interrogator, seconds = pipeline.interrogator, {}
    images = pipeline.encoder.encode_images(photos.images)
    captions = pipeline.captions(images)
    found = {}
    for mode in INTERROGATION_MODES:
        started = time.perf_counter()
        found[mode] = interrogator(images, captions, mode)
        seconds[f"{mode}, batch of {len(images)}, a photo"] = (time.perf_counter() - started) / len(images)
    started = time.perf_counter()
    for image in photos.images[:10]:
        one = pipeline.encoder.encode_images([image])
        interrogator(one, pipeline.captions(one), "best")
    seconds["best, one photo from pixels to prompt"] = (time.perf_counter() - started) / 10

    judge = Judge(ImageTextEncoder.from_pretrained(pipeline.config.judge), photos)
    reference, judged = reference_pictures(judge.encoder, pipeline.config.judge), []
    for image, one in zip(judge.image_embeds, found["best"], strict=True):
        texts = [interrogator.text_of(one.chain[: n + 1]) for n in range(len(one.chain))]  # link by link
        vectors = judge.encoder.encode_texts(texts)
        judged.append(standardised(vectors @ image, word_statistics(vectors, reference)))
    raw = pipeline.reference_embeds @ interrogator.ranker.embeds.T  # (R, M)
    prompts = {mode: [one.prompt for one in found[mode]] for mode in ("fast", "classic", "best")}
    figures = {
        "phrases": len(interrogator.table),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "skewness": {
            "raw cosine": skewness(k_occurrence(raw)),
            "standard score": skewness(k_occurrence(standardised(raw, interrogator.ranker.statistics))),
        },
        "the chain's own gain": gains([np.array([link.score for link in one.chain]) for one in found["best"]]),
        "the judge's gain": gains(judged),
        "photo found by its prompt, judge": {
            name: judge.recall([[text] for text in texts], np.arange(len(texts)))
            for name, texts in {"caption": captions, **prompts}.items()
        },
    }
    print(json.dumps(figures, ensure_ascii=False))


if __name__ == "__main__":
    main()
