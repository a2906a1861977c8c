"""`import helpers` is all that transformers' Auto classes need to know our models, in whichever order both come."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.chinese_clip import ImageTextEncoder
from helpers.config import ASSETS
from helpers.data import load_image

ROOT = Path(__file__).parents[2]
NAMES = ("image_text", "backbones", "judge")
TEXTS = ["明月照山", "一叶小舟在江上", "雨"]
PHOTOS = sorted((ASSETS / "photos").glob("*.jpg"))[:2]
OURS, THEIRS = "import helpers", "from transformers import AutoConfig, AutoModel, AutoProcessor"
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
import torch
from PIL import Image

out, texts, photos, folders = Path(sys.argv[1]), sys.argv[2].split(), sys.argv[3].split(":"), sys.argv[4:]
images = [Image.open(photo).convert("RGB") for photo in photos]
for folder in folders:
    config = AutoConfig.from_pretrained(folder)
    model, processor = AutoModel.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    assert type(model.config) is type(config) and not model.training
    with torch.inference_mode():
        batch = processor(text=texts, images=images, return_tensors="pt")
        embeds = model.get_image_features(batch.pop("pixel_values")), model.get_text_features(**batch)
    embeds = [torch.nn.functional.normalize(x, dim=-1).numpy() for x in embeds]
    np.savez(out / f"{Path(folder).name}.npz", *embeds)
"""


@pytest.fixture(scope="module")
def expected() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    photos = [load_image(path) for path in PHOTOS]
    encoders = {name: ImageTextEncoder.from_pretrained(ASSETS / name, "cpu", dtype=torch.float32) for name in NAMES}
    return {name: (encoder.encode_images(photos), encoder.encode_texts(TEXTS)) for name, encoder in encoders.items()}


@pytest.mark.parametrize("imports", [(OURS, THEIRS), (THEIRS, OURS)], ids=["helpers first", "transformers first"])
def test_auto_classes_know_our_models(imports: tuple[str, str], expected, tmp_path) -> None:
    """Both embedded models in one process, their embeddings equal to the encoder's."""
    program = "\n".join(imports) + PROGRAM
    folders = [str(ASSETS / name) for name in NAMES]
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path, " ".join(TEXTS), ":".join(map(str, PHOTOS)), *folders],
        cwd=ROOT, timeout=300, capture_output=True, encoding="utf-8",
        env=os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for name in NAMES:
        with np.load(tmp_path / f"{name}.npz") as found:
            for ours, theirs in zip(found.values(), expected[name], strict=True):
                assert ours == pytest.approx(theirs, abs=1e-6)
