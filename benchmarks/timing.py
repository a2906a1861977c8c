"""Clocks and memory, as all benchmarks measure them."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch

from helpers.config import pick_device

Result = TypeVar("Result")


def timed(call: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds and result of a call; on a GPU it is over when the GPU has finished."""
    started = time.perf_counter()
    result = call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started, result


def median_seconds(call: Callable[[], object], times: int = 1) -> float:
    return statistics.median(timed(call)[0] for _ in range(times))


def interleaved(ways: Mapping[str, Callable[[], object]], rounds: int) -> list[dict[str, float]]:
    """Seconds of each way, round by round: other work on the machine then meets all ways alike."""
    return [{name: timed(way)[0] for name, way in ways.items()} for _ in range(rounds)]


def speeds_beside_peer(
    calls: Mapping[str, Callable[[], object]], counts: Mapping[str, int], rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Results a second of each way, whose call gives `counts` results, and ratios to the way "peer" of the same round.

    Medians of the rounds, both.
    """
    found = [{name: counts[name] / seconds for name, seconds in each.items()} for each in interleaved(calls, rounds)]
    speeds = {name: statistics.median(each[name] for each in found) for name in calls}
    ratios = {f"{name}_to_peer": statistics.median(each[name] / each["peer"] for each in found) for name in calls}
    return speeds, ratios


def peak_mib() -> int:
    """The most memory that this process has held: the GPU's if there is one, else the machine's (Linux counts KiB)."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 2**20)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)


def machine() -> dict[str, object]:
    return {"device": pick_device(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
