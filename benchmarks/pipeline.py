"""Photos a second: 64 in one call of the pipeline against 64 calls of one photo, decoding included in both.

    python -m benchmarks.pipeline FOLDER [--rounds 5]     FOLDER: a folder of photographs, or a quoted pattern
    python -m benchmarks.pipeline FOLDER --stages         where the time of a batch goes
    python -m benchmarks.pipeline --latency --rounds 10   seconds from one photo to its poem, and the peak of memory

One JSON object on stdout; medians of interleaved rounds, the models loaded before. On a GPU the same commands measure
the GPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.timing import interleaved, machine, peak_mib, timed
from helpers.config import ASSETS
from helpers.data import load_image
from helpers.options import DEFAULT_CARD, PoemOptions
from helpers.pipeline import ImageToPoem, PoemJob, Row, load_pipeline, matches, poem_blocks, write_card


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="?", default=str(ASSETS / "photos" / "sea_sunrise.jpg"))
    parser.add_argument("--photos-a-batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--n", type=int, default=8, help="candidates a photo")
    parser.add_argument("--profile", choices=("mini", "full"), default="mini")
    parser.add_argument("--stages", dest="measure", action="store_const", const=stage_figures, default=batch_figures)
    parser.add_argument("--latency", dest="measure", action="store_const", const=latency_figures)
    args = parser.parse_args()

    names = list(islice(cycle(matches(args.photos)), args.photos_a_batch))  # a small folder is gone through again
    pipeline, options = load_pipeline(args.profile), PoemOptions(n=args.n)
    pipeline([load_image(names[0])], options=options)  # loads the models, computes the tables
    figures = args.measure(pipeline, names, options, args.rounds)
    print(json.dumps({**machine(), "n": args.n, "rounds": args.rounds, **figures}, indent=1))


def batch_figures(pipeline: ImageToPoem, names: list[str], options: PoemOptions, rounds: int) -> dict:
    """Photos a second in one call, in single calls, and through the steps of a batch, by the same clock."""
    job = PoemJob(options=options, batch_size=max(1, len(names) // 4))
    rows = [Row(name) for name in names]
    ways = {
        "one_call": lambda: pipeline([load_image(name) for name in names], options=options),
        "one_at_a_time": lambda: [pipeline([load_image(name)], options=options) for name in names],
        f"blocks_of_{job.batch_size}": lambda: list(poem_blocks(rows, job, lambda: pipeline)),
    }
    seconds = interleaved(ways, rounds)
    ratios = [each["one_at_a_time"] / each["one_call"] for each in seconds]
    speeds = {name: len(names) / statistics.median(each[name] for each in seconds) for name in ways}
    return {"photos": len(names), "photos_a_second": speeds, "ratio": statistics.median(ratios), "ratios": ratios}


def latency_figures(pipeline: ImageToPoem, names: list[str], options: PoemOptions, rounds: int) -> dict:
    """Seconds from the file of the first photo to its poem, another seed each round."""
    wishes = [replace(options, seed=seed) for seed in range(rounds)]
    seconds = [timed(lambda each=each: pipeline([load_image(names[0])], options=each))[0] for each in wishes]
    return {"median_s": statistics.median(seconds), "worst_s": max(seconds), "peak_mib": peak_mib()}


def stage_figures(pipeline: ImageToPoem, names: list[str], options: PoemOptions, rounds: int) -> dict:
    """Milliseconds a photo of each stage of one batch, on its own."""
    seconds = [stages_once(pipeline, names, options) for _ in range(rounds)]
    medians = {stage: statistics.median(each[stage] for each in seconds) for stage in seconds[0]}
    return {"photos": len(names), "ms_a_photo": {stage: 1000 * s / len(names) for stage, s in medians.items()}}


def stages_once(pipeline: ImageToPoem, names: list[str], options: PoemOptions) -> dict[str, float]:
    """As `ImageToPoem.__call__` goes, with the clock read in between."""
    seconds = {}
    seconds["decode"], images = timed(lambda: [load_image(name) for name in names])
    seconds["image_encoder"], embeds = timed(partial(pipeline.encoder.encode_images, images))
    seconds["keywords"], words = timed(partial(pipeline.keywords, embeds, pipeline.config.keywords))
    plans = [[scored.word for scored in row] for row in words]
    seconds["candidates"], candidates = timed(partial(pipeline.candidates, embeds, plans, options))
    seconds["choice"], _ = timed(partial(pipeline.choice.best_first, embeds, candidates, options))
    results = pipeline.poems(embeds, words, options)
    with TemporaryDirectory() as folder:
        path, cards = Path(folder) / "card.png", zip(images, results, strict=True)
        seconds["card"], _ = timed(lambda: [write_card(path, *pair, DEFAULT_CARD) for pair in cards])
    return seconds


if __name__ == "__main__":
    main()
