"""Photos a second: 64 in one call of the pipeline against 64 calls of one photo, decoding included in both.

    python -m benchmarks.pipeline FOLDER [--rounds 5]     FOLDER: a folder of photographs, or a quoted pattern
    python -m benchmarks.pipeline FOLDER --stages         where the time of a batch goes

One JSON object on stdout; medians of interleaved rounds. On a GPU the same commands measure the GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from helpers.config import pick_device
from helpers.data import load_image
from helpers.options import DEFAULT_CARD, PoemOptions
from helpers.pipeline import ImageToPoem, PoemJob, Row, load_pipeline, matches, poem_blocks, write_card


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos")
    parser.add_argument("--photos-a-batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--n", type=int, default=8, help="candidates a photo")
    parser.add_argument("--profile", choices=("mini", "full"), default="mini")
    parser.add_argument("--stages", action="store_true")
    args = parser.parse_args()

    names = list(islice(cycle(matches(args.photos)), args.photos_a_batch))  # a small folder is gone through again
    pipeline, options = load_pipeline(args.profile), PoemOptions(n=args.n)
    pipeline([load_image(names[0])], options=options)  # loads the models, computes the tables
    machine = {"device": pick_device(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    measure = stage_figures if args.stages else batch_figures
    figures = measure(pipeline, names, options, args.rounds)
    print(json.dumps({**machine, "photos": len(names), "n": args.n, "rounds": args.rounds, **figures}, indent=1))


def batch_figures(pipeline: ImageToPoem, names: list[str], options: PoemOptions, rounds: int) -> dict:
    """Photos a second in one call, in single calls, and through the steps of a batch, by the same clock."""
    job = PoemJob(options=options, batch_size=max(1, len(names) // 4))
    rows = [Row(name) for name in names]
    ways = {
        "one_call": lambda: pipeline([load_image(name) for name in names], options=options),
        "one_at_a_time": lambda: [pipeline([load_image(name)], options=options) for name in names],
        f"blocks_of_{job.batch_size}": lambda: list(poem_blocks(rows, job, lambda: pipeline)),
    }
    seconds = [{name: timed(way)[0] for name, way in ways.items()} for _ in range(rounds)]
    ratios = [each["one_at_a_time"] / each["one_call"] for each in seconds]
    speeds = {name: len(names) / statistics.median(each[name] for each in seconds) for name in ways}
    return {"photos_a_second": speeds, "ratio": statistics.median(ratios), "ratios": ratios}


def stage_figures(pipeline: ImageToPoem, names: list[str], options: PoemOptions, rounds: int) -> dict:
    """Milliseconds a photo of each stage of one batch, on its own."""
    seconds = [stages_once(pipeline, names, options) for _ in range(rounds)]
    return {
        "ms_a_photo": {stage: statistics.median(s[stage] for s in seconds) * 1000 / len(names) for stage in seconds[0]}
    }


def stages_once(pipeline: ImageToPoem, names: list[str], options: PoemOptions) -> dict[str, float]:
    """As `ImageToPoem.__call__` goes, with the clock read in between."""
    seconds = {}
    seconds["decode"], images = timed(lambda: [load_image(name) for name in names])
    seconds["image_encoder"], embeds = timed(partial(pipeline.encoder.encode_images, images))
    seconds["keywords"], words = timed(partial(pipeline.keywords, embeds, pipeline.config.keywords))
    plans = [[word for word, _ in row] for row in words]
    seconds["candidates"], candidates = timed(partial(pipeline.candidates, embeds, plans, options))
    seconds["choice"], _ = timed(partial(pipeline.choice.best_first, embeds, candidates, options))
    results = pipeline.poems(embeds, words, options)
    with TemporaryDirectory() as folder:
        path, cards = Path(folder) / "card.png", zip(images, results, strict=True)
        seconds["card"], _ = timed(lambda: [write_card(path, *pair, DEFAULT_CARD) for pair in cards])
    return seconds


def timed(call: Callable[[], object]) -> tuple[float, object]:
    started = time.perf_counter()
    result = call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
