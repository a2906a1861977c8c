"""All ways from a picture to text that the mini profile has, in one table.

    python -m benchmarks.ways --data data

On the labelled photographs: how often the judge of `evaluate pipeline`, which had no part in any of them, finds the
photo by its text; seconds for one photo from its pixels, models loaded; megabytes of the models that it takes. One JSON
object a row on stdout.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.captioning import show
from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS
from helpers.evaluate import Judge, read_labelled_photos
from helpers.keywords import LineIndex, calibrated_queries, load_lines
from helpers.options import FEW, WAYS, PoemOptions
from helpers.pipeline import ImageToPoem, load_pipeline

TIMED = 8  # photos
MODELS = {  # what each way takes besides the image-text model
    "keywords": (), "a line": ("lines",), "caption": ("captioner",), "interrogate": ("captioner", "phrases.tsv"),
    "poem": ("poem_t5", "poem_reader"), "poem, lines": ("lines",), "poem, caption": ("captioner",),
    "poem, picture": ("verse_prefix",), "poem, interrogate": ("phrases.tsv",),
}  # fmt: skip
Way = Callable[[Sequence[Image.Image]], list[str]]


def megabytes(*names: str) -> float:
    """Of files and folders of the assets."""
    paths = [path for name in names for path in [ASSETS / name, *(ASSETS / name).rglob("*")]]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def all_ways(pipeline: ImageToPoem) -> dict[str, tuple[Way, float]]:
    """By name: pictures -> a text each, and the megabytes that it takes."""
    encode, k = pipeline.encoder.encode_images, pipeline.config.keywords
    index = LineIndex.build_from(pipeline.encoder, load_lines())

    def keywords(images: Sequence[Image.Image]) -> list[str]:
        return ["，".join(scored.word for scored in row) for row in pipeline.keywords(encode(images), k)]

    def line(images: Sequence[Image.Image]) -> list[str]:
        queries = calibrated_queries(encode(images), pipeline.reference_embeds)
        return [found[0][0].text for found in index.search(queries, 1)]

    def caption(images: Sequence[Image.Image]) -> list[str]:
        return pipeline.captions(encode(images))

    def interrogate(images: Sequence[Image.Image]) -> list[str]:
        embeds = encode(images)
        return [found.prompt for found in pipeline.interrogator(embeds, pipeline.captions(embeds))]

    def poem(way: str) -> Way:
        options = PoemOptions(n=FEW, way=way)
        return lambda images: ["，".join(found.poem.lines) for found in pipeline(images, options=options)]

    ways = {"keywords": keywords, "a line": line, "caption": caption, "interrogate": interrogate}
    found = {name: (way, megabytes("image_text", *MODELS[name])) for name, way in ways.items()}
    for name in WAYS:
        more = MODELS.get(f"poem, {name}", ())
        found[f"poem, {name}"] = poem(name), megabytes("image_text", *MODELS["poem"], *more)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()

    photos = read_labelled_photos(args.data / "photos")
    pipeline = load_pipeline("mini")
    judge = Judge(ImageTextEncoder.from_pretrained(pipeline.config.judge), photos)
    owners = np.arange(len(photos.images))
    for name, (way, size) in all_ways(pipeline).items():
        texts = way(photos.images)  # all at once; also the warm-up
        started = time.perf_counter()
        for image in photos.images[:TIMED]:
            way([image])
        seconds = (time.perf_counter() - started) / TIMED
        recall = judge.recall([[text] for text in texts], owners)
        show(name=name, **{f"R@{k}": share for k, share in recall.items()}, seconds=seconds, megabytes=size)


if __name__ == "__main__":
    main()
