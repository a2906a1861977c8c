"""A contact sheet: photos with their keywords and poems, to look at.

python -m benchmarks.contact_sheet OUT.jpg IMAGE...
"""

from __future__ import annotations

import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from helpers.fonts import use_chinese_fonts
from helpers.images import load_image
from helpers.pipeline import ImageToPoem

COLUMNS = 4


def main() -> None:
    out, *paths = sys.argv[1:]
    images = [load_image(path) for path in paths]
    use_chinese_fonts()
    rows = -(-len(images) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(4 * COLUMNS, 4.1 * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, result in zip(axes.flat, images, ImageToPoem()(images), strict=False):
        axis.imshow(image)
        words = " ".join(f"{word} {score:.2f}" for word, score in result.keywords)
        axis.set_title(f"{words}\n{result.poem}", fontsize=11)
    figure.tight_layout()
    figure.savefig(out, dpi=80)


if __name__ == "__main__":
    main()
