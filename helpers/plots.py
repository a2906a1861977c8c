"""Figures that the notebooks share: similarity matrices with thumbnails, galleries, training curves.

matplotlib is imported by the functions: only figures need it, and it takes its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pylopdf_fonts_zh_cn import sans_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THUMBNAIL = 96  # pixels: the longer side of a picture in a figure, so that a notebook's file stays small


def thumbnail(picture: Image.Image, side: int = THUMBNAIL) -> np.ndarray:
    """A small copy, bytes (h, w, 3), its longer side at most `side` pixels."""
    small = picture.convert("RGB")
    small.thumbnail((side, side))
    return np.asarray(small)


def thumbnails_along(ax: Axes, pictures: Sequence[Image.Image], place: str = "above", inches: float = 0.45) -> None:
    """Pictures in place of the tick labels of a matrix: "above" its columns or "left" of its rows.

    Raises ValueError for another place.
    """
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    if place not in ("above", "left"):
        raise ValueError(f"thumbnails_along: 'above' or 'left', not {place!r}")
    above = place == "above"
    for index, picture in enumerate(pictures):
        small = thumbnail(picture)
        image = OffsetImage(small, zoom=72 * inches / max(small.shape))  # an OffsetImage counts 72 pixels an inch
        box = AnnotationBbox(
            image,
            (index, 1.01) if above else (-0.01, index),
            xycoords=("data", "axes fraction") if above else ("axes fraction", "data"),
            box_alignment=(0.5, 0) if above else (1, 0.5),
            frameon=False,
            pad=0,
            annotation_clip=False,
        )
        ax.add_artist(box)
    (ax.set_xticks if above else ax.set_yticks)([])


def show_similarity(pictures: Sequence[Image.Image], texts: Sequence[str], cosines: np.ndarray) -> Figure:
    """A figure of cosines (N pictures, M texts): texts beside the rows, pictures above the columns."""
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(11, 0.42 * len(texts) + 1.1), layout="constrained")
    shown = ax.imshow(cosines.T, cmap="YlGnBu", aspect="auto")  # (N, M) -> (M, N)
    middle = (cosines.max() + cosines.min()) / 2
    for (row, column), value in np.ndenumerate(cosines.T):
        ink = "white" if value > middle else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=ink)
    thumbnails_along(ax, pictures)
    ax.set_yticks(range(len(texts)), [shortened(text) for text in texts], fontsize=8)
    fig.colorbar(shown, label="cosine", pad=0.01)
    return fig


def show_gallery(
    pictures: Sequence[Image.Image], titles: Sequence[str], columns: int = 4, inches: float = 2, font_size: float = 7
) -> Figure:
    """Pictures in rows, each under its title, which may have several lines."""
    import matplotlib.pyplot as plt

    rows = -(-len(pictures) // columns)
    size = (
        columns * inches,
        rows * (inches + 0.12 + 0.023 * font_size * max(title.count("\n") + 1 for title in titles)),
    )
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    for ax, picture, title in zip(axes.flat, pictures, titles, strict=False):
        ax.imshow(thumbnail(picture, max(160, round(80 * inches))))
        ax.set_title(title, fontsize=font_size)
    return fig


def show_retrieval(
    queries: Sequence[str], pictures: Sequence[Image.Image], cosines: np.ndarray, count: int = 5
) -> Figure:
    """A row of pictures for each text, the nearest first; `cosines` (M texts, N pictures)."""
    import matplotlib.pyplot as plt

    size = (1.35 * count + 2.2, 1.5 * len(queries))
    fig, axes = plt.subplots(len(queries), count, figsize=size, squeeze=False, layout="constrained")
    for row, query, scores in zip(axes, queries, cosines, strict=True):
        for ax, index in zip(row, np.argsort(-scores)[:count], strict=True):
            ax.imshow(thumbnail(pictures[int(index)], 120))
            ax.set(xticks=[], yticks=[])
            ax.set_title(f"{scores[index]:.2f}", fontsize=8, pad=2)
        row[0].set_ylabel(shortened(query, 22), rotation=0, ha="right", va="center", fontsize=9)
    return fig


def show_training(losses: Sequence[float], recalls: dict[str, Sequence[float]], chance_loss: float) -> Figure:
    """The loss of every step beside chance, and named figures (in per cent) of every epoch."""
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    left.plot(losses, linewidth=0.8, color="steelblue")
    left.axhline(chance_loss, linestyle="--", color="grey", label="chance: log(B)")
    left.set(xlabel="step", ylabel="contrastive loss", ylim=(0, None))
    for name, values in recalls.items():
        right.plot(range(1, len(values) + 1), values, marker=".", label=name)
    right.set(xlabel="epoch", ylabel="per cent", ylim=(0, 102))
    right.xaxis.get_major_locator().set_params(integer=True)
    for ax in (left, right):
        ax.legend(frameon=False, fontsize=8)
    return fig


def display_jpeg(figure: Figure, quality: int = 85) -> None:
    """Show a figure that is full of pictures as a JPEG, a fraction of a PNG in a notebook's file, and close it."""
    import matplotlib.pyplot as plt
    from IPython.display import Image as Shown
    from IPython.display import display

    stored = BytesIO()
    figure.savefig(stored, format="jpeg", bbox_inches="tight", pil_kwargs={"quality": quality})
    plt.close(figure)
    display(Shown(stored.getvalue(), format="jpeg"))


def shortened(text: str, width: int = 30, lines: int = 2) -> str:
    """A text on at most so many lines of about so many half-width characters, with an ellipsis if that cuts it."""
    rows, row, used = [], "", 0
    for piece in pieces(text):
        wide = sum(2 if is_wide(char) else 1 for char in piece)
        if used + wide > width and row:
            rows, row, used = [*rows, row.strip()], "", 0
        row, used = row + piece, used + wide
    rows.append(row.strip())
    return "\n".join(rows[:lines]) + ("…" if len(rows) > lines else "")


def pieces(text: str) -> list[str]:
    """Pieces between which a line may be broken: after a space, and around every Chinese character."""
    parts = [""]
    for char in text:
        if is_wide(char):
            parts += [char, ""]
        else:
            parts[-1] += char
            if char == " ":
                parts.append("")
    return [part for part in parts if part]


def is_wide(char: str) -> bool:
    """True for Chinese characters and their punctuation, which are twice as wide as Latin letters."""
    return ord(char) > 0x2E7F


def use_chinese_fonts() -> str:
    """Make matplotlib show Chinese text and minus signs; calling it again does no harm.

    Returns:
        The family name that figures now use.
    """
    import matplotlib  # only figures need it: the command line and the card do without
    from matplotlib import font_manager

    family = "Noto Sans SC"
    if not any(Path(entry.fname) == sans_path() for entry in font_manager.fontManager.ttflist):
        font_manager.fontManager.addfont(str(sans_path()))
    # Two families, not one: matplotlib then takes each glyph that Noto lacks from DejaVu.
    matplotlib.rcParams["font.family"] = [family, "DejaVu Sans"]
    matplotlib.rcParams["axes.unicode_minus"] = True
    return family
