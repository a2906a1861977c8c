"""No test asks the hub or leaves anything in the reader's cache; `recipes` can be imported as well as `helpers`."""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ["HF_HUB_OFFLINE"] = "1"  # read by huggingface_hub when it is first imported
_datasets = tempfile.TemporaryDirectory()  # until Python ends
os.environ["HF_DATASETS_CACHE"] = _datasets.name  # parquet files are unpacked there
PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))  # set by -n: so many test at once
if PROCESSES > 1:  # they share the cores, and so do the processes that they start; torch reads it when it is imported
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // PROCESSES)))
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # plain `pytest` does not put it there, `python -m pytest` does


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With -n: the tests of a file in one process, for they share what they set up; what takes longest begins first."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}/{item.path.stem}"))
    if PROCESSES > 1:
        items.sort(key=lambda item: (item.path.stem != "test_notebooks", item.path.parent.name != "whole"))


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


# --- a CLIP and a set of pictures that train in seconds ---

COLOURS = {"red": (220, 30, 30), "green": (30, 180, 40), "blue": (40, 60, 220), "yellow": (240, 220, 50)}
GROUNDS = {"black": (10, 10, 10), "white": (245, 245, 245), "grey": (120, 120, 120)}
SIDES = {"left": (4, 16), "right": (36, 16)}  # pixels: the corner of the square


@pytest.fixture(scope="session")
def distilbert_folder(tmp_path_factory) -> Path:
    """A tiny DistilBERT with its tokenizer, laid out as on the hub."""
    import torch
    from transformers import BertTokenizer, DistilBertConfig, DistilBertModel

    folder = tmp_path_factory.mktemp("distilbert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "square", "on", "at", "the", "is", "there", ",", "."]
    words += [*COLOURS, *GROUNDS, *SIDES]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=len(words), dim=32, n_layers=3, n_heads=2, hidden_dim=64, max_position_embeddings=16
    )
    DistilBertModel(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def resnet_file(tmp_path_factory) -> Path:
    """An untrained ResNet34 as torchvision names its weights, with the classifier."""
    import torch
    from safetensors.torch import save_file
    from torchvision.models import resnet34

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("resnet") / "resnet34.safetensors"
    save_file(resnet34().state_dict(), path)
    return path


@pytest.fixture(scope="session")
def clip_folder(distilbert_folder, resnet_file, tmp_path_factory) -> Path:
    """A model of ours that looks at 32 pixels and knows twenty words."""
    import torch

    from helpers.clip import from_backbones, save_clip

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    save_clip(*from_backbones(resnet_file, distilbert_folder, image_size=32, max_length=12, dim=32), folder)
    return folder


@pytest.fixture
def clip(clip_folder):
    """The same in memory: (model, processor)."""
    from helpers.clip import load_clip

    return load_clip(clip_folder)


@pytest.fixture(scope="session")
def squares_folder(tmp_path_factory) -> Path:
    """24 pictures of coloured squares, two captions each; splits.csv has 16 for train, 4 for val, 4 for test."""
    folder = tmp_path_factory.mktemp("squares")
    rows, splits = ["image,caption"], ["filename,split"]
    kinds = [(c, g, s) for c in COLOURS for g in GROUNDS for s in SIDES]
    for number, (colour, ground, side) in enumerate(kinds):
        picture = Image.new("RGB", (64, 56), GROUNDS[ground])
        x, y = SIDES[side]
        picture.paste(COLOURS[colour], (x, y, x + 24, y + 24))
        name = f"{number:02d}.png"
        picture.save(folder / name)
        rows += [f"{name},a {colour} square on {ground} at the {side}"]
        rows += [f'{name},"on {ground}, at the {side}, there is a {colour} square"']
        splits.append(f"{name},{('train', 'train', 'val', 'train', 'test', 'train')[(number * 5 + number // 6) % 6]}")
    (folder / "captions.csv").write_text("\n".join(rows), encoding="utf-8")
    (folder / "splits.csv").write_text("\n".join(splits), encoding="utf-8")
    return folder


@pytest.fixture
def one_thread():
    """As in the training processes that a test starts: more threads would add in another order."""
    import torch
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(True)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    AcceleratorState._reset_state(True)
