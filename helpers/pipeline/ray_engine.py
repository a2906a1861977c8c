"""The same batch on Ray Data: many machines, or many GPUs of one (Moritz et al. 2018, arXiv:1712.05889).

Only names and records travel: each actor decodes its pictures, holds the models and draws the cards, as `poem_blocks`
does on one machine. So pictures and cards must lie in a folder that all machines see.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from helpers.pipeline.batch import PoemJob, Row, poem_blocks

BLOCKS = 4  # in one call of an actor, so that decoding, writing and drawing overlap there
Columns = dict[str, list[str]]  # Ray's batches


def ray_blocks(rows: Sequence[Row], job: PoemJob) -> Iterator[list[dict]]:
    """The records of the pictures, in the order in which they are ready; see `poem_blocks`.

    Runs on the cluster that RAY_ADDRESS names, or else on this machine: an actor a GPU or, without any, a CPU core.
    Raises ValueError if Ray is not installed, or for a request that can be met for no picture.
    """
    if not rows:
        return
    ray = import_ray()
    started_here = not ray.is_initialized()
    if started_here:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        for columns in answered(ray, rows, job).iter_batches(batch_size=None):
            records = [json.loads(text) for text in columns["record"]]
            for record in records:
                if "request" in record:
                    raise ValueError(record["request"])
            yield records
    finally:
        if started_here:
            ray.shutdown()


def import_ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is to be sent anywhere
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ValueError("--engine ray needs Ray, which is not installed: pip install '.[scale]'") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False  # the command line has its own
    return ray


def answered(ray: ModuleType, rows: Sequence[Row], job: PoemJob) -> object:
    """A lazy `ray.data.Dataset` with the column "record", JSON texts."""
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    actors = gpus or max(1, int(resources.get("CPU", 1)))
    calls = max(actors, -(-len(rows) // (BLOCKS * job.batch_size)))  # everybody has work, even if there is little
    pictures = [{"name": row.name, "card": str(row.card or "")} for row in rows]
    dataset = ray.data.from_items(pictures, override_num_blocks=min(calls, len(rows)))
    return dataset.map_batches(
        PoemActor,
        fn_constructor_args=(job, os.getcwd()),
        batch_size=None,  # as `from_items` has cut them
        compute=ray.data.ActorPoolStrategy(size=min(actors, len(rows))),
        num_gpus=1 if gpus else 0,
        num_cpus=1,
    )


class PoemActor:
    """A process with the models; answers pictures by their names, from the folder of the process that asks."""

    def __init__(self, job: PoemJob, folder: str) -> None:
        self.job, self.folder = job, folder

    def __call__(self, columns: Columns) -> Columns:
        pairs = zip(columns["name"], columns["card"], strict=True)
        rows = [Row(str(name), Path(card) if card else None) for name, card in pairs]
        return {"record": [json.dumps(record, ensure_ascii=False) for record in self.records(rows)]}

    def records(self, rows: Sequence[Row]) -> list[dict]:
        try:
            from helpers.pipeline.image_to_poem import load_pipeline  # the models are the actor's, not the caller's

            os.chdir(self.folder)
            blocks = poem_blocks(rows, self.job, lambda: load_pipeline(self.job.profile))
            return [record for block in blocks for record in block]
        except (ValueError, OSError) as error:  # Ray would wrap it into fifty lines
            return [{"request": str(error)}]
