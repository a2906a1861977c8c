"""Seconds from one photo to its poem, models loaded, eight candidates; and the memory at its peak.

python -m benchmarks.latency [IMAGE]
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time

import torch

from helpers.config import ASSETS
from helpers.data import load_image
from helpers.options import PoemOptions
from helpers.pipeline import ImageToPoem

RUNS = 10


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else ASSETS / "photos" / "sea_sunrise.jpg"
    pipeline = ImageToPoem()
    pipeline([load_image(path)])  # loads the models and the vocabulary
    seconds = []
    for seed in range(RUNS):
        started = time.perf_counter()
        pipeline([load_image(path)], options=PoemOptions(seed=seed))
        seconds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    print(json.dumps({"threads": torch.get_num_threads(), "runs": RUNS, "median_s": statistics.median(seconds),
                      "worst_s": max(seconds), "peak_rss_mib": round(peak)}))  # fmt: skip


if __name__ == "__main__":
    main()
