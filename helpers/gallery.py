"""Photographs with their poems in one picture, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from helpers.forms import punctuated

if TYPE_CHECKING:
    from helpers.evaluate.labelled_photos import LabelledPhotos

COLUMNS = 4
SHOWN = 8  # of the best, and of the worst


def gallery(images: Sequence[Image.Image], titles: Sequence[str], columns: int = COLUMNS) -> Image.Image:
    """Pictures in rows, each under its title, which may have Chinese and several lines."""
    from matplotlib.figure import Figure

    from helpers.cards.fonts import use_chinese_fonts

    use_chinese_fonts()
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(4 * columns, 3.4 * rows), layout="tight")  # not of pyplot, which would keep it
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    for axis, image, title in zip(axes, images, titles, strict=False):
        axis.imshow(image)
        axis.set_title(title, fontsize=11)
    buffer = BytesIO()
    figure.savefig(buffer, dpi=80)
    return Image.open(buffer).convert("RGB")


def best_and_worst(photos: LabelledPhotos, poems: Sequence[dict]) -> Image.Image:
    """The poems whose pictures the judge found first, above those that it found last; of `evaluate_pipeline`."""
    order = sorted(range(len(poems)), key=lambda i: poems[i]["rank"])
    half = min(SHOWN, -(-len(order) // 2))
    shown = dict.fromkeys([*order[:half], *order[len(order) - half :]])
    return gallery([photos.images[i] for i in shown], [poem_title(poems[i]) for i in shown])


def poem_title(found: dict) -> str:
    return f"{' '.join(found['keywords'])} · rank {found['rank']}\n{punctuated(found['poem'])}"
