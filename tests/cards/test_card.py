"""What `poem_card` promises, judged by the card's pixels."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from helpers.cards import DARK, LAYOUTS, LIGHT, MARGIN, poem_card, poem_sheet
from helpers.options import LAYOUT_NAMES, THEME_NAMES

FIVE = ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"]
SEVEN = ["朝辞白帝彩云间", "千里江陵一日还", "两岸猿声啼不住", "轻舟已过万重山"]
GREEN = (0, 160, 0)  # like no colour of the cards, so that the photograph is easy to find
INK = LIGHT.ink


def photo(width=600, height=400):
    return Image.new("RGB", (width, height), GREEN)


def near(card, colour, tolerance=60):
    difference = np.asarray(card).astype(np.int16) - np.array(colour, np.int16)
    return (np.abs(difference) < tolerance).all(axis=2)


def box(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def weights(card, lines, length):
    """(columns from right to left, rows): the ink in each cell of a poem of equal lines."""
    black = near(card, INK, 90)
    left, top, right, bottom = box(black)
    cells = [
        np.array_split(part, length, axis=0) for part in np.array_split(black[top:bottom, left:right], lines, axis=1)
    ]
    return np.array([[cell.sum() for cell in column] for column in cells[::-1]])


@pytest.mark.parametrize("layout", ["album", "scroll"])
@pytest.mark.parametrize(("width", "height"), [(600, 400), (400, 600), (500, 500), (4000, 400), (100, 1000), (16, 16)])
def test_photo_is_whole_and_keeps_its_aspect(layout, width, height):
    picture = photo(width, height)
    quarter = (255, 0, 255)
    picture.paste(quarter, (0, 0, width // 2, height // 2))
    card = poem_card(picture, FIVE, "登楼", layout=layout)
    assert card.mode == "RGB"
    left, top, right, bottom = box(near(card, GREEN, 40) | near(card, quarter, 40))
    assert abs((right - left) - (bottom - top) * width / height) <= max(1, width / height)
    corner = box(near(card, quarter, 40))  # no longer a quarter, had the photograph been cropped
    assert abs((corner[2] - corner[0]) * 2 - (right - left)) <= 8 + (right - left) / min(width, 200)
    assert abs((corner[3] - corner[1]) * 2 - (bottom - top)) <= 8 + (bottom - top) / min(height, 200)


def test_an_inscribed_photo_is_the_card():
    card = poem_card(photo(300, 200), FIVE, "登楼", layout="inscription")
    assert card.size == (1200, 800)
    assert near(card, GREEN, 3).mean() > 0.7


def test_the_fan_shows_the_middle():
    picture = photo(900, 300)
    picture.paste((255, 0, 255), (0, 0, 299, 300))  # outside the middle square
    card = poem_card(picture, FIVE, "登楼", layout="fan")
    left, top, right, bottom = box(near(card, GREEN, 40))
    assert right - left == pytest.approx(bottom - top, abs=4)
    assert near(card, GREEN, 40)[top:bottom, left:right].mean() == pytest.approx(np.pi / 4, abs=0.01)
    assert not near(card, (255, 0, 255), 40).any()


def test_album_sets_the_poem_below_a_wide_photo_and_beside_a_tall_one():
    above, beside = (poem_card(photo(*size), FIVE, "登楼", layout="album") for size in ((600, 400), (400, 600)))
    assert above.width == 1200 and beside.height == 1200
    assert box(near(above, INK))[1] > box(near(above, GREEN))[3] + MARGIN // 2
    assert box(near(beside, INK))[0] > box(near(beside, GREEN))[2] + MARGIN // 2


@pytest.mark.parametrize("layout", ["album", "fan"])
@pytest.mark.parametrize("poem", [["一"], FIVE, SEVEN, ["霸" * 16] * 10])
def test_margins_are_paper(layout, poem):
    card = np.asarray(poem_card(photo(), poem, "题" * 40, seal="诗情画意", layout=layout))
    edge = MARGIN - 12  # the fan's rim and the album's hairline lie outside the photograph
    for strip in (card[:edge], card[-edge:], card[:, :edge], card[:, -edge:]):
        assert (strip == LIGHT.paper).all()


@pytest.mark.parametrize("layout", [name for name in LAYOUT_NAMES if name != "auto"])
def test_columns_run_from_right_to_left_and_read_downwards(layout):
    white = Image.new("RGB", (600, 400), "white")
    card = poem_card(
        white, ["霸一一一霸", "一一一一霸", "霸霸霸霸霸", "霸一霸一霸"], "", seal="", layout=layout, theme="light"
    )
    sheet = poem_sheet(white, FIVE, "", seal="", layout=layout, theme="light")
    dense = weights(card.crop(sheet.text), 4, 5) > 0.12 * (sheet.block.size * 1.2) ** 2
    wanted = ["10001", "00001", "11111", "10101"]
    assert ["".join(str(int(cell)) for cell in column) for column in dense] == wanted


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_lines_from_text_are_the_same_card(layout):
    text = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
    cards = [poem_card(photo(), poem, "登楼", layout=layout).tobytes() for poem in (text, FIVE)]
    assert cards[0] == cards[1]


@pytest.mark.parametrize("layout", [name for name in LAYOUT_NAMES if name != "auto"])
@pytest.mark.parametrize("seal", ["诗", "诗画缘", "诗情画意"])
def test_seal_is_red_at_the_lower_left(layout, seal):
    sheet = poem_sheet(photo(), FIVE, "登楼", seal=seal, layout=layout)
    text = sheet.write().crop(sheet.text)
    red = near(text, sheet.palette.seal, 20)
    left, top, right, bottom = box(red)
    assert left == 0 and abs(bottom - text.height) <= 1
    assert 0.4 < red[top:bottom, left:right].mean() < 0.95  # a stamp, and characters in it
    assert near(text, sheet.palette.seal_text, 60)[top:bottom, left:right].sum() > 30 * len(seal)
    assert right < min(glyph.left for glyph in sheet.block.poem)


def test_four_seal_characters_read_from_the_right():
    card = poem_card(photo(), FIVE, "", seal="霸霸一一", layout="album")
    left, top, right, bottom = box(near(card, LIGHT.seal, 20))
    middle = (left + right) // 2
    white = near(card, LIGHT.seal_text, 60)[top + 3 : bottom - 3]
    assert white[:, middle : right - 3].sum() > 2 * white[:, left + 3 : middle].sum()


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_no_seal(layout):
    assert not near(poem_card(photo(), FIVE, "登楼", seal="", layout=layout), LIGHT.seal, 30).any()


@pytest.mark.parametrize("layout", ["album", "scroll", "fan"])
def test_paper_is_dark_for_a_dark_photo_or_on_request(layout):
    night, day = (Image.new("RGB", (600, 400), (grey,) * 3) for grey in (25, 200))
    papers = {
        (name, theme): poem_sheet(image, FIVE, "", layout=layout, theme=theme).palette
        for name, image in (("night", night), ("day", day))
        for theme in THEME_NAMES
    }
    assert papers["night", "auto"] == papers["night", "dark"] == papers["day", "dark"] == DARK
    assert papers["day", "auto"] == papers["day", "light"] == papers["night", "light"] == LIGHT


@pytest.mark.parametrize(
    ("poem", "options", "what"),
    [
        ([], {}, "no characters"),
        ("，。", {}, "no characters"),
        (FIVE, {"seal": "一二三四五"}, "at most 4"),
        (FIVE, {"layout": "poster"}, "'poster'; there are auto, album, inscription, scroll, fan"),
        (FIVE, {"theme": "blue"}, "'blue'; there are auto, light, dark"),
    ],
)
def test_wrong_arguments(poem, options, what):
    with pytest.raises(ValueError, match=what):
        poem_card(photo(), poem, "登楼", **options)


def test_of_a_tall_photo_the_fan_shows_a_little_more_of_the_upper_half():
    picture = Image.new("RGB", (300, 900), (255, 0, 255))
    picture.paste(GREEN, (0, 239, 300, 541))
    assert not near(poem_card(picture, FIVE, "", layout="fan"), (255, 0, 255), 40).any()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_any_mode(mode, layout):
    assert poem_card(photo(30, 20).convert(mode), ["山"], "", layout=layout).mode == "RGB"


def test_names_are_the_table_and_cost_no_import():
    assert ["auto", *LAYOUTS] == list(LAYOUT_NAMES)
    code = "import sys, helpers.options; assert not {'PIL', 'numpy', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
