"""kill -9 in the middle of a batch: the second run completes it, every photo exactly once."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PHOTOS = 200
LIMIT = 300  # seconds; a run that hangs shall fail
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}  # threads wait for each other where others are at work
SETTINGS = ("--n", 1, "--form", "5x4", "--batch-size", 8)


@pytest.fixture
def photos(tmp_path) -> Path:
    """Small ones, each of a noise of its own."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(PHOTOS):
        coarse = rng.integers(0, 256, (3, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 48)).save(folder / f"{number:03d}.jpg")
    return folder


def start(*arguments: object) -> subprocess.Popen:
    """`python -m helpers poem` in a process of its own."""
    command = [sys.executable, "-m", "helpers", "poem", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | ENVIRONMENT, stderr=subprocess.PIPE)


def lines(path: Path) -> list[bytes]:
    """The records that are whole."""
    return [line for line in path.read_bytes().splitlines(True) if line.endswith(b"\n")] if path.exists() else []


def test_every_photo_exactly_once(photos, tmp_path) -> None:
    out = tmp_path / "poems.jsonl"
    first = start(f"{photos}/*.jpg", "--out", out, *SETTINGS)
    end = time.monotonic() + LIMIT
    while len(lines(out)) < PHOTOS // 8 and first.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    first.kill()
    _, err = first.communicate()
    before = lines(out)
    assert PHOTOS // 8 <= len(before) < PHOTOS, err.decode()  # it was in the middle

    second = start(f"{photos}/*.jpg", "--out", out, *SETTINGS)
    _, err = second.communicate(timeout=LIMIT)
    assert second.returncode == 0, err.decode()
    after = lines(out)
    assert after[: len(before)] == before  # nothing was done twice or written anew
    assert sorted(json.loads(line)["image"] for line in after) == sorted(map(str, photos.iterdir()))
    assert all(len(json.loads(line)["poem"]) == 4 for line in after)
