"""No test asks the hub or leaves anything in the reader's cache; `training` can be imported as well as `helpers`."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ["HF_HUB_OFFLINE"] = "1"  # read by huggingface_hub when it is first imported
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # plain `pytest` does not put it there, `python -m pytest` does


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache folder for each test."""
    monkeypatch.setenv("IMAGE_TO_POEM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def pictures() -> list[Image.Image]:
    """Five pictures of different shapes, each of a noise of its own."""
    rng = np.random.default_rng(0)
    sizes = [(40, 30), (30, 40), (64, 64), (90, 20), (33, 47)]
    coarse = [rng.integers(0, 256, (4, 4, 3), dtype=np.uint8) for _ in sizes]
    return [Image.fromarray(pixels).resize(size) for pixels, size in zip(coarse, sizes, strict=True)]
