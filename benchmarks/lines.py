"""Nearest lines among 10,000, 100,000 and 1,000,000: build, query, recall against the exact index, size, save, load.

python -m benchmarks.lines --lines FILE [--kinds flat ivf hnsw]

FILE is one that `python -m helpers lines --lines` takes; sizes it has too few lines for are left out. The queries are
64 of the image-text model's reference pictures, calibrated. The embeddings are kept in the cache folder, so encoding is
timed by itself, on 10,000 lines.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import faiss
import numpy as np

from benchmarks.timing import timed
from helpers.keywords import KINDS, LineIndex, calibrated_queries, encode_lines, load_lines
from helpers.pipeline import ImageToPoem

SIZES = (10_000, 100_000, 1_000_000)
QUERIES = 64
K = 10


def recall(found: list[list], exact: list[list]) -> float:
    """The share of the exact k best lines that were found."""
    return statistics.fmean(
        len({line for line, _ in a} & {line for line, _ in b}) / len(b) for a, b in zip(found, exact, strict=True)
    )


def measure(index: LineIndex, queries: np.ndarray, exact: LineIndex) -> dict:
    singles = [timed(lambda query=query: index.search(query[None], K))[0] for query in queries]
    batch, found = min((timed(lambda: index.search(queries, K)) for _ in range(3)), key=lambda pair: pair[0])
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "index"
        save, _ = timed(lambda: index.save(folder))
        load, _ = timed(lambda: LineIndex.load(folder))
        size = sum(path.stat().st_size for path in folder.iterdir())
    return {
        "query_ms_one": round(statistics.median(singles) * 1000, 2),
        "query_ms_in_batch": round(batch / len(queries) * 1000, 3),
        f"recall@{K}": round(recall(found, exact.search(queries, K)), 4),
        "disk_mb": round(size / 1e6, 1), "save_s": round(save, 2), "load_s": round(load, 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=Path, required=True, metavar="FILE")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    args = parser.parse_args()

    lines, pipeline = load_lines(args.lines), ImageToPoem()
    references = pipeline.reference_embeds
    chosen = np.linspace(0, len(references) - 1, QUERIES).astype(int)
    queries = calibrated_queries(references[chosen], references)
    sizes = [size for size in SIZES if size <= len(lines)]
    if not sizes:
        parser.error(f"{args.lines}: fewer than {SIZES[0]:,} lines")
    seconds, _ = timed(lambda: pipeline.encoder.encode_texts([line.text for line in lines[: SIZES[0]]]))
    figures = {"threads": faiss.omp_get_max_threads(), "encoded_lines_per_s": round(SIZES[0] / seconds), "sizes": {}}
    embeds = encode_lines(pipeline.encoder, lines[: max(sizes)])
    for size in sizes:
        exact = LineIndex.build(lines[:size], embeds[:size], "flat")
        figures["sizes"][size] = rows = {}
        for kind in args.kinds:
            build, index = timed(lambda size=size, kind=kind: LineIndex.build(lines[:size], embeds[:size], kind))
            rows[kind] = {"build_s": round(build, 2)} | measure(index, queries, exact)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
