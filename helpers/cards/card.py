"""The poem card: a photograph with its quatrain, written by brush in columns."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from helpers.cards.layouts import LAYOUTS, Sheet, fitting_layout
from helpers.cards.text import CardText
from helpers.options import CardOptions


def poem_card(
    image: Image.Image,
    poem: str | Sequence[str],
    title: str,
    *,
    seal: str = "诗",
    layout: str = "auto",
    theme: str = "auto",
) -> Image.Image:
    """Set a poem beside its photograph or write it on the photograph.

    The columns run from right to left: title, lines, and at the lower left the seal. Ink has a contrast of at least
    4.5:1 with what is under it. The photograph is scaled, never squashed, and only the fan crops it.

    Args:
        image: the photograph, any size and mode that converts to RGB.
        poem: the lines, or one string in which white space or punctuation parts them.
        title: may be empty; a long one takes two columns and, in the end, an ellipsis.
        seal: up to four characters; empty for no seal.
        layout: "album" (册页, the poem on paper beside or below), "inscription" (题画诗, on the photograph's calmest
            place), "scroll" (挂轴, a hanging scroll), "fan" (团扇, a round fan), or "auto": see `fitting_layout`.
        theme: "light" (dark ink on light paper), "dark" (light ink on dark paper), or "auto": dark paper for a dark
            photograph; in an inscription, the ink for which the place needs less veil.

    Returns:
        The card, mode RGB.

    Raises:
        ValueError: no such layout or theme; the poem has no characters, or the seal more than four.
    """
    return poem_sheet(image, poem, title, seal=seal, layout=layout, theme=theme).write()


def poem_sheet(
    image: Image.Image,
    poem: str | Sequence[str],
    title: str,
    *,
    seal: str = "诗",
    layout: str = "auto",
    theme: str = "auto",
) -> Sheet:
    """The sheet of `poem_card` before it is written on; same arguments, same errors."""
    CardOptions(layout, theme)  # are there such ones?
    photo, text = image.convert("RGB"), CardText.read(poem, title, seal)
    return LAYOUTS[fitting_layout(photo, text, theme) if layout == "auto" else layout](photo, text, theme)
