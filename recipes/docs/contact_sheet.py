"""A contact sheet: photos with their keywords and poems, to look at.

python -m recipes.docs.contact_sheet OUT.jpg IMAGE...
"""

from __future__ import annotations

import sys

from helpers.data import load_image
from helpers.pipeline import ImageToPoem, PicturePoem
from helpers.plots import show_gallery, use_chinese_fonts


def title(result: PicturePoem) -> str:
    words = " ".join(
        f"{scored.word} {scored.probability:.0%}" if scored.seen else f"({scored.word})" for scored in result.keywords
    )
    return f"{words}\n{result.poem}"


def main() -> None:
    out, *paths = sys.argv[1:]
    images = [load_image(path) for path in paths]
    titles = [title(result) for result in ImageToPoem()(images)]
    use_chinese_fonts()
    show_gallery(images, titles, inches=4, font_size=11).savefig(out, dpi=80)


if __name__ == "__main__":
    main()
