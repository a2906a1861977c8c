"""clip.processor: pictures as tensors."""

import io

import numpy as np
import torch
from PIL import Image

from helpers.clip import SquashImageProcessor


def noisy_picture() -> Image.Image:
    noise = np.random.default_rng(0).normal(128, 40, (300, 400, 3)).clip(0, 255)
    return Image.fromarray(noise.astype(np.uint8)).resize((800, 600), Image.Resampling.BICUBIC)


def as_jpeg(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    return Image.open(file).convert("RGB")


def test_without_blur_a_picture_is_only_squashed() -> None:
    picture = noisy_picture()
    pixels = SquashImageProcessor(64, (0, 0, 0), (1, 1, 1)).preprocess(picture)["pixel_values"]  # (1, 3, 64, 64)
    squashed = picture.resize((64, 64), Image.Resampling.BILINEAR, reducing_gap=3)
    assert torch.allclose(pixels[0].permute(1, 2, 0) * 255, torch.from_numpy(np.array(squashed)).float())


def test_blur_takes_away_what_compression_changes() -> None:
    picture = noisy_picture()
    moved = []
    for blur in (0.0, 1.0):
        processor = SquashImageProcessor(64, blur=blur)
        plain, compressed = processor.preprocess([picture, as_jpeg(picture)])["pixel_values"]
        moved.append((plain - compressed).std().item())
    assert moved[1] < 0.7 * moved[0]


def test_the_blur_is_kept_with_the_processor(tmp_path) -> None:
    SquashImageProcessor(32, blur=1.5).save_pretrained(tmp_path)
    assert SquashImageProcessor.from_pretrained(tmp_path).blur == 1.5
