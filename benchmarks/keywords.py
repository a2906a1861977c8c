"""The figures of the keyword vocabulary: speed, templates, coverage, diversity.

    python -m benchmarks.keywords --data data [--model DIR]

DATA holds photos/labels.json with images, poems/ccpc_valid_v1.0.json and poems/shixuehanying.txt. Speed: 10,000 words
against one photo, with stored embeddings and word statistics, beside the loop of the usual tutorial, which encodes one
word at a time (but, more kindly than that, the photo once only). One JSON object on standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.timing import median_seconds
from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS, load_config
from helpers.data import load_image
from helpers.evaluate import LABELS, read_labelled_photos
from helpers.keywords import (
    class_embeds,
    load_vocabulary,
    pick_diverse,
    standard_scores,
    standardised,
    without_mean,
    word_statistics,
)
from helpers.metrics import word_ranking
from helpers.pipeline import ImageToPoem

WORDS = 10_000
FOUR = ["一张{}的照片", "照片里有{}", "风景中的{}", "{}，一幅美丽的风景"]  # as in notebook 02
TEMPLATES = {"{}": ["{}"], **{template: [template] for template in FOUR}, "the four together": FOUR}


def many_words() -> list[str]:
    """keyword.txt and, to make up the number, pairs of neighbouring characters from its own words."""
    words = [keyword.word for keyword in load_vocabulary()]
    characters = "".join(words)
    pairs = (a + b for gap in range(1, 9) for a, b in zip(characters, characters[gap:], strict=False))
    return list(dict.fromkeys([*words, *pairs]))[:WORDS]


def speed(encoder: ImageTextEncoder, reference: np.ndarray) -> dict[str, float]:
    """Seconds of both ways, with the cosines of both compared."""
    words, photo = many_words(), load_image(ASSETS / "photos" / "lotus.jpg")
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, IMAGE_TO_POEM_CACHE=folder):
        encoder.encode_texts(words[:64])  # the first batch pays for more than itself
        batched = median_seconds(lambda: encoder.encode_texts(words, cache=True))
        reading = median_seconds(lambda: encoder.encode_texts(words, cache=True))
        text_embeds = encoder.encode_texts(words, cache=True)
    image_embeds = encoder.encode_images([photo])
    known = word_statistics(text_embeds, reference)
    loop_embeds = []
    loop = median_seconds(lambda: loop_embeds.extend(encoder.encode_texts([word]) for word in words))
    difference = np.abs(np.concatenate(loop_embeds) @ image_embeds.T - text_embeds @ image_embeds.T).max()

    def rank() -> np.ndarray:
        return np.argsort(-standardised(image_embeds @ text_embeds.T, known)[0])

    encode = median_seconds(lambda: encoder.encode_images([photo]), times=20)
    ranking = median_seconds(rank, times=50)
    return {
        "words": len(words),
        "one_by_one_s": loop,
        "batched_s": batched,
        "cached_ms": 1000 * reading,
        "photo_ms": 1000 * encode,
        "ranking_ms": 1000 * ranking,
        "ratio_batched": loop / batched,
        "ratio_cached": (loop + encode) / (encode + ranking),
        "largest_difference_of_cosines": float(difference),
    }


def templates(encoder: ImageTextEncoder, reference: np.ndarray, folder: Path) -> dict[str, dict]:
    """mAP and top-1 of the label words on the labelled photos, by template, raw and standardised."""
    photos = read_labelled_photos(folder)
    truth, image_embeds = photos.truth, encoder.encode_images(photos.images)
    figures = {}
    for name, sentences in TEMPLATES.items():
        text_embeds = class_embeds(LABELS, sentences, encoder.encode_texts)
        figures[name] = {
            "cosine": word_ranking(image_embeds @ text_embeds.T, truth),
            "standardised": word_ranking(standard_scores(image_embeds, text_embeds, reference), truth),
        }
    return figures


def coverage(poems: Path) -> dict[str, float]:
    """The share of classical verse that the vocabulary can name."""
    words = {keyword.word for keyword in load_vocabulary()}
    records = [json.loads(line) for line in (poems / "ccpc_valid_v1.0.json").read_text(encoding="utf-8").splitlines()]
    lines = [line for record in records for line in record["content"].split("|")]
    keywords = [word for record in records for word in record["keywords"].split()]
    phrases = re.findall(r"[\u4e00-\u9fff]{2,}", (poems / "shixuehanying.txt").read_text(encoding="utf-8"))
    return {
        "ccpc_lines_with_a_word": float(np.mean([holds(line, words) for line in lines])),
        "ccpc_keywords_in_it": float(np.mean([word in words for word in keywords])),
        "shixuehanying_phrases_with_a_word": float(np.mean([holds(phrase, words) for phrase in phrases])),
    }


def holds(text: str, words: set[str]) -> bool:
    """True if a word of two or more characters stands in the text: single ones are in nearly every line."""
    longest = max(map(len, words))
    return any(text[i : i + n] in words for n in range(2, longest + 1) for i in range(len(text) - n + 1))


def diversity(pipeline: ImageToPoem, folder: Path, k: int = 5) -> dict[str, dict[str, float]]:
    """Likeness of a photo's k words, by their mean cosine and the characters they share, without and with choice."""
    image_embeds = pipeline.encoder.encode_images(read_labelled_photos(folder).images)
    words, embeds = pipeline.ranker.words, pipeline.ranker.embeds
    scores = pipeline.ranker.scores(image_embeds)  # (N, M)
    plain = [list(np.argsort(-row)[:k]) for row in scores]
    chosen = [pick_diverse(row, words, without_mean(embeds), k) for row in scores]
    figures = {}
    for name, rows in (("best_k", plain), ("diverse", chosen)):
        cosines = [(embeds[row] @ embeds[row].T)[np.triu_indices(len(row), 1)].mean() for row in rows]
        characters = [sum(map(len, row)) - len(set("".join(row))) for row in words_of(pipeline, rows)]
        figures[name] = {
            "mean_cosine": float(np.mean(cosines)),
            "repeated_characters": float(np.mean(characters)),
            "mean_score": float(np.mean([scores[i, row].mean() for i, row in enumerate(rows)])),
        }
    return figures


def words_of(pipeline: ImageToPoem, rows: list[list[int]]) -> list[list[str]]:
    return [[pipeline.ranker.words[i] for i in row] for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default=str(ASSETS / "image_text"))
    args = parser.parse_args()

    pipeline = ImageToPoem(load_config(image_text_model=args.model))
    figures = {
        "threads": torch.get_num_threads(),
        "templates": templates(pipeline.encoder, pipeline.reference_embeds, args.data / "photos"),
        "coverage": coverage(args.data / "poems"),
        "diversity": diversity(pipeline, args.data / "photos"),
        "speed": speed(pipeline.encoder, pipeline.reference_embeds),
    }
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
