"""Every layout with every kind of photograph, poem and title: all on the card, and the poem beside the photograph."""

import itertools

import numpy as np
import pytest
from PIL import Image

from helpers.cards import CALM, LAYOUTS, CardText, fitting_layout, glyph_box, inscription_place, poem_sheet

SIZES = [(600, 400), (400, 600), (500, 500), (16, 16), (1, 1), (1000, 100), (100, 1000), (2000, 20), (20, 2000)]
POEMS = {"one": ["山"], "5x4": ["霸" * 5] * 4, "7x4": ["霸" * 7] * 4, "uneven": ["霸" * 16, "山"] * 5}
TITLES = {"none": "", "short": "题归帆图", "long": "霸" * 15, "very long": "霸" * 300}


@pytest.fixture(scope="module")
def grain():
    """Coarse noise, no place in it is calm."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8))


def inside(box, other, slack=0):
    return (
        box[0] >= other[0] - slack
        and box[1] >= other[1] - slack
        and box[2] <= other[2] + slack
        and box[3] <= other[3] + slack
    )


@pytest.fixture(scope="module", params=LAYOUTS)
def sheets(grain, request):
    """Cards of a layout for every shape, and for every text; not the product of both."""
    for_shapes = [(size, POEMS["7x4"], TITLES["short"]) for size in SIZES]
    for_texts = [(size, *text) for size in SIZES[:2] for text in itertools.product(POEMS.values(), TITLES.values())]
    return [
        poem_sheet(grain.resize(size), poem, title, seal="诗情画意", layout=request.param)
        for size, poem, title in for_shapes + for_texts
    ]


def test_everything_is_on_the_card(sheets):
    for sheet in sheets:
        card, pad = (0, 0, *sheet.ground.size), round(0.2 * sheet.block.size)
        text = sheet.text
        assert inside((text[0] - pad, text[1] - pad, text[2] + pad, text[3] + pad), card)
        assert inside(sheet.photo, card)
        for glyph in (*sheet.block.title, *sheet.block.poem, *sheet.block.seal):
            assert inside(glyph_box(glyph, sheet.at), text, slack=1)
        assert sheet.ground.width * sheet.ground.height < 2e7 and min(sheet.ground.size) >= 400


def test_ink_stays_in_the_text_s_place(sheets):
    for sheet in sheets[::5]:
        changed = (np.asarray(sheet.write()) != np.asarray(sheet.ground)).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        slack = 0.2 * sheet.block.size + 1
        assert inside((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), sheet.text, slack)


@pytest.mark.parametrize("sheets", [name for name in LAYOUTS if name != "inscription"], indirect=True)
def test_the_poem_stands_beside_the_photo(sheets):
    for sheet in sheets:
        photo, text = sheet.photo, sheet.text
        apart = max(text[0] - photo[2], photo[0] - text[2], text[1] - photo[3], photo[1] - text[3])
        assert apart >= 20


def test_type_is_large_enough_to_read(sheets):
    assert min(sheet.block.size for sheet in sheets) >= 13


@pytest.mark.parametrize(
    ("size", "calm", "busy"),
    [
        ((600, 400), "inscription", "album"),
        ((400, 600), "inscription", "scroll"),
        ((500, 500), "inscription", "fan"),
        ((1000, 100), "album", "album"),
        ((100, 1000), "album", "album"),
    ],
)
def test_auto(grain, size, calm, busy):
    text = CardText.read(POEMS["7x4"], "题归帆图", "诗")
    for image, wanted in ((Image.new("RGB", size, (220, 225, 230)), calm), (grain.resize(size), busy)):
        assert fitting_layout(image, text, "auto") == wanted
        auto, named = (poem_sheet(image, POEMS["7x4"], "题归帆图", layout=name) for name in ("auto", wanted))
        assert auto.write().tobytes() == named.write().tobytes()


def test_the_type_is_as_large_as_the_calm_place_allows(grain):
    text, sizes = CardText.read(POEMS["5x4"], "", ""), []
    for width in (600, 190, 150):
        image = grain.resize((600, 400))
        image.paste("white", (600 - width, 0, 600, 260 if width < 600 else 400))
        _, block, place = inscription_place(image, text, "auto")
        assert place.unrest <= CALM
        sizes.append(block.size)
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("size", SIZES[:3])
def test_an_inscription_keeps_off_the_edges(size):
    sheet = poem_sheet(Image.new("RGB", size, "white"), POEMS["7x4"], "", layout="inscription")
    (left, top, right, bottom), (width, height) = sheet.text, sheet.ground.size
    assert min(left, top, width - right, height - bottom) >= 0.06 * min(width, height)


def test_a_ribbon_is_laid_on_paper(grain):
    sheet = poem_sheet(grain.resize((3000, 30)), POEMS["7x4"], "", layout="inscription")
    assert sheet.ground.width == 10 * sheet.ground.height
