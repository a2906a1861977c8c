"""What the default model sees: label words and scenes, probabilities, steadiness, verse beside plain language.

    python -m benchmarks.sight --data data [--model DIR] [--table FILE]

DATA holds photos/ and scenes/ (labels.json and images/ each), ccpm/valid.jsonl and awkward/. Nothing of photos/ and
ccpm/valid.jsonl was trained on, nor was a fifth of the scenes of each label, which are measured here. One JSON object
on standard output.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from helpers.config import load_config
from helpers.data import ImageError, load_image
from helpers.evaluate import LABELS, read_labelled_photos
from helpers.keywords import KeywordTable, WordRanker, standard_scores, without_mean
from helpers.metrics import expected_calibration_error, reliability, word_ranking
from helpers.pipeline import ImageToPoem
from recipes.image_text.labels import held_back
from recipes.image_text.texts import matched_lines

EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG quality 75": lambda image: as_jpeg(image, 75),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "3% cut off all round": lambda image: image.crop(
        tuple(round(0.03 * side) for side in image.size) + tuple(round(0.97 * side) for side in image.size)
    ),
    "mirrored": ImageOps.mirror,
}


def as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def word_scores(pipeline: ImageToPoem, words: list[str], image_embeds: np.ndarray) -> dict[str, np.ndarray]:
    """Each way to score words (M,) for pictures (N, D): (N, M)."""
    encoder, reference, vocabulary = pipeline.encoder, pipeline.reference_embeds, pipeline.ranker.words
    plain = encoder.encode_texts(words)
    about = plain - encoder.encode_texts(vocabulary, cache=True).mean(0)
    ranker = pipeline.ranker_of(words)
    z_scores = ranker.scores(image_embeds)
    return {
        "text tower, cosine": image_embeds @ plain.T,
        "text tower, standard score": standard_scores(image_embeds, plain, reference),
        "text tower about its centre, standard score": standard_scores(image_embeds, about, reference),
        "table, standard score": z_scores,
        "table, standard score and prior (as shipped)": ranker.calibration.total_scores(z_scores, ranker.log_prior),
    }


def scenes(pipeline: ImageToPoem, folder: Path) -> dict[str, float]:
    """The share of the scenes held back, in per cent, whose own label comes first of all 27."""
    own = {row["file"]: row["label"] for row in json.loads((folder / "labels.json").read_text(encoding="utf-8"))}
    files, labels = sorted(held_back(own)), sorted(set(own.values()))
    image_embeds = encoded(pipeline, [folder / "images" / file for file in files])
    truth = np.array([labels.index(own[file]) for file in files])
    ways = word_scores(pipeline, labels, image_embeds)
    return {name: float(100 * (scores.argmax(1) == truth).mean()) for name, scores in ways.items()}


def encoded(pipeline: ImageToPoem, paths: list[Path], block: int = 64) -> np.ndarray:
    blocks = (paths[i : i + block] for i in tqdm(range(0, len(paths), block), desc="pictures", unit="block"))
    return np.concatenate([pipeline.encoder.encode_images([load_image(path) for path in paths]) for paths in blocks])


def probabilities(ranker: WordRanker, image_embeds: np.ndarray, truth: np.ndarray) -> dict[str, object]:
    """How far the probabilities of the label words (N, 24) can be trusted."""
    chances = ranker.probabilities(image_embeds)
    figures: dict[str, object] = {
        "expected_calibration_error": expected_calibration_error(chances, truth),
        "bins: mean probability, share true, words": reliability(chances, truth),
    }
    for bound in (0.5, 0.7):
        claimed = chances >= bound
        figures[f"p >= {bound}"] = {
            "precision": float(truth[claimed].mean()) if claimed.any() else None,
            "recall": float((claimed & truth).sum() / truth.sum()),
        }
    return figures


def steadiness(pipeline: ImageToPoem, images: list[Image.Image], image_embeds: np.ndarray) -> dict[str, dict]:
    """Of the four keywords of each photo, what the same photo keeps after a slight change."""
    before = named(pipeline, image_embeds)
    figures = {}
    for name, edit in EDITS.items():
        after = named(pipeline, pipeline.encoder.encode_images([edit(image) for image in images]))
        figures[name] = {
            "first word kept, per cent": float(
                100 * np.mean([a[0] == b[0] for a, b in zip(before, after, strict=True)])
            ),
            "words kept of four": float(np.mean([len(set(a) & set(b)) for a, b in zip(before, after, strict=True)])),
        }
    return figures


def named(pipeline: ImageToPoem, image_embeds: np.ndarray) -> list[list[str]]:
    return [[scored.word for scored in row] for row in pipeline.keywords(image_embeds, 4)]


def verse(pipeline: ImageToPoem, path: Path) -> dict[str, float]:
    """The share of descriptions, in per cent, for which the right one of four lines is nearest (CCPM; chance 25)."""
    rows = matched_lines(path)
    descriptions = pipeline.encoder.encode_texts([row.description for row in rows])  # (V, D)
    lines = pipeline.encoder.encode_texts([line for row in rows for line in row.lines])  # (V·4, D)
    answers = np.array([row.answer for row in rows])
    found = {}
    for name, queries, keys in (
        ("cosine", descriptions, lines),
        ("both about their centres", without_mean(descriptions), without_mean(lines)),
    ):
        cosines = np.einsum("vd,vnd->vn", queries, keys.reshape(len(rows), -1, keys.shape[1]))
        found[name] = float(100 * (cosines.argmax(1) == answers).mean())
    return found


def awkward(pipeline: ImageToPoem, folder: Path) -> dict[str, object]:
    """The four keywords of each picture of the folder, or why it has none."""
    found: dict[str, object] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".txt"):
        try:
            found[path.name] = named(pipeline, pipeline.encoder.encode_images([load_image(path)]))[0]
        except ImageError as error:
            found[path.name] = str(error).replace(str(folder), "")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default=load_config("mini").image_text_model)
    parser.add_argument("--table", type=Path, help="another table of words than the model's own")
    args = parser.parse_args()

    pipeline = ImageToPoem(load_config(image_text_model=args.model))
    if args.table:
        pipeline.table = KeywordTable.load(args.table)
    photos = read_labelled_photos(args.data / "photos")
    image_embeds = pipeline.encoder.encode_images(photos.images)
    ways = word_scores(pipeline, LABELS, image_embeds)
    figures = {
        "photos": {name: word_ranking(scores, photos.truth) for name, scores in ways.items()},
        "scenes held back": scenes(pipeline, args.data / "scenes"),
        "probability": probabilities(pipeline.ranker_of(LABELS), image_embeds, photos.truth),
        "steadiness": steadiness(pipeline, photos.images, image_embeds),
        "verse": verse(pipeline, args.data / "ccpm" / "valid.jsonl"),
        "awkward": awkward(pipeline, args.data / "awkward"),
    }
    print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
