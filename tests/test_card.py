"""The poem card, judged by its pixels; and the fonts behind it."""

import time
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFont

from helpers import fonts
from helpers.card import MARGIN, PAPER, PHOTO_SIDE, RED, missing_glyphs, poem_card

FIVE = ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"]
SEVEN = ["朝辞白帝彩云间", "千里江陵一日还", "两岸猿声啼不住", "轻舟已过万重山"]
GREEN = (0, 160, 0)  # like no colour of the card, so that the photograph is easy to find


def photo(width=600, height=400):
    return Image.new("RGB", (width, height), GREEN)


def near(card, colour, tolerance=60):
    difference = np.asarray(card).astype(np.int16) - np.array(colour, np.int16)
    return (np.abs(difference) < tolerance).all(axis=2)


def ink(card):
    """Where characters stand: darker than the paper, and neither photograph nor seal."""
    red, green, blue = np.moveaxis(np.asarray(card).astype(np.int16), 2, 0)
    return (red < 190) & (np.abs(red - green) < 30) & (np.abs(green - blue) < 30)


def runs(flags):
    """[start, end) of every run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def box(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def columns(card):
    """The ink's columns from left to right; those of dense characters have no gaps in them."""
    return runs(ink(card).any(axis=0))


@pytest.mark.parametrize(("width", "height"), [(600, 400), (400, 600), (500, 500), (4000, 100), (100, 3000), (80, 60)])
def test_photo_is_whole_and_keeps_its_aspect(width, height):
    picture = photo(width, height)
    quarter = (255, 0, 255)
    picture.paste(quarter, (0, 0, width // 2, height // 2))
    card = poem_card(picture, FIVE, "登楼")
    assert card.mode == "RGB"
    left, top, right, bottom = box(near(card, GREEN, 40) | near(card, quarter, 40))
    assert max(right - left, bottom - top) == PHOTO_SIDE
    assert abs((right - left) - (bottom - top) * width / height) <= max(1, width / height)
    corner = box(near(card, quarter, 40))  # no longer a quarter, had the photograph been cropped
    assert abs((corner[2] - corner[0]) * 2 - (right - left)) <= 8
    assert abs((corner[3] - corner[1]) * 2 - (bottom - top)) <= 8


def test_wide_photo_above_tall_photo_beside():
    above, beside = poem_card(photo(600, 400), FIVE, "登楼"), poem_card(photo(400, 600), FIVE, "登楼")
    assert above.width == 1200 and beside.height == 1200
    assert box(ink(above))[1] > box(near(above, GREEN))[3] + MARGIN // 2
    assert box(ink(beside))[0] > box(near(beside, GREEN))[2] + MARGIN // 2


@pytest.mark.parametrize("size", [(3000, 100), (100, 3000)])
@pytest.mark.parametrize("poem", [FIVE, SEVEN, ["長" * 16] * 10])
def test_margins_are_paper(size, poem):
    card = np.asarray(poem_card(photo(*size), poem, "题" * 40, seal="诗情画意"))
    edge = MARGIN - 2  # the photograph's hairline lies one pixel outside it
    for strip in (card[:edge], card[-edge:], card[:, :edge], card[:, -edge:]):
        assert (strip == PAPER).all()


@pytest.mark.parametrize("size", [(600, 400), (400, 600)])
@pytest.mark.parametrize("length", [5, 7])
def test_a_glyph_in_every_cell_evenly_spaced(size, length):
    card = poem_card(photo(*size), ["霸" * length] * 4, "")  # a dense character: no gap inside its cell
    black, found = ink(card), columns(card)
    assert len(found) == 4
    pitches = np.diff([start for start, _ in found])
    assert np.ptp(pitches) <= 1
    for start, end in found:
        cells = runs(black[:, start:end].any(axis=1))
        assert len(cells) == length
        assert np.ptp(np.diff([top for top, _ in cells])) <= 1
        for top, bottom in cells:  # full size, and not merely a speck
            assert 0.8 < (bottom - top) / (end - start) < 1.25
            assert black[top:bottom, start:end].mean() > 0.3


def test_columns_run_from_right_to_left():
    card = poem_card(photo(), ["霸" * 5, "一" * 5, "霸" * 5, "一" * 2], "")
    black, found = ink(card), columns(card)
    weights = [black[:, start:end].sum() for start, end in found]
    fourth, third, second, first = weights
    assert first == third > 4 * second > 4 * fourth > 0
    rows = [runs(black[:, start:end].any(axis=1)) for start, end in found]
    assert [len(cells) for cells in rows] == [2, 5, 5, 5]
    assert rows[0][0] == rows[2][0]  # a short line starts at the top


def test_a_column_reads_downwards():
    card = poem_card(photo(), ["霸一一一一"] * 4, "")
    black, (start, end) = ink(card), columns(card)[0]
    weights = [black[top:bottom].sum() for top, bottom in runs(black[:, start:end].any(axis=1))]
    assert weights[0] > 4 * max(weights[1:])


def test_lines_from_text_are_the_same_card():
    text = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"
    assert poem_card(photo(), text, "登楼").tobytes() == poem_card(photo(), FIVE, "登楼").tobytes()


def test_title_is_first_and_smaller():
    card = poem_card(photo(), ["霸" * 5] * 4, "霸霸")
    *lines, title = columns(card)
    assert len(lines) == 4
    assert title[1] - title[0] < 0.75 * (lines[0][1] - lines[0][0])
    assert len(runs(ink(card)[:, title[0] : title[1]].any(axis=1))) == 2


@pytest.mark.parametrize(("length", "wanted"), [(6, 1), (12, 2), (200, 2)])
def test_long_title_takes_two_columns_at_most(length, wanted):
    card = poem_card(photo(), ["霸" * 5] * 4, "霸" * length)
    found = columns(card)
    assert len(found) == 4 + wanted
    poem_bottom = box(ink(card)[:, found[0][0] : found[0][1]])[3]
    assert box(ink(card)[:, found[4][0] :])[3] <= poem_bottom


def test_second_title_column_does_not_begin_with_a_comma():
    with_comma = poem_card(photo(), FIVE, "霸霸霸霸霸霸，霸霸霸霸霸")
    without = poem_card(photo(), FIVE, "霸霸霸霸霸霸霸霸霸霸霸")
    assert with_comma.tobytes() == without.tobytes()


@pytest.mark.parametrize("seal", ["诗", "诗画", "诗画缘", "诗情画意"])
def test_seal_is_red_at_the_lower_left(seal):
    card = poem_card(photo(), ["霸" * 5] * 4, "登楼", seal=seal)
    red = near(card, RED, 20)
    left, top, right, bottom = box(red)
    assert 0.4 < red[top:bottom, left:right].mean() < 0.95  # a stamp, and characters in it
    assert near(card, PAPER, 40)[top:bottom, left:right].sum() > 50 * len(seal)
    first, *_ = columns(card)
    assert right < first[0]
    poem_bottom = box(ink(card))[3]
    assert abs(bottom - poem_bottom) < 8


def test_four_seal_characters_read_from_the_right():
    card = poem_card(photo(), FIVE, "", seal="霸霸一一")
    left, top, right, bottom = box(near(card, RED, 20))
    middle = (left + right) // 2
    white = near(card, PAPER, 60)[top + 3 : bottom - 3]
    assert white[:, middle : right - 3].sum() > 2 * white[:, left + 3 : middle].sum()


def test_no_seal():
    assert not near(poem_card(photo(), FIVE, "登楼", seal=""), RED, 40).any()


@pytest.mark.parametrize(
    ("poem", "seal", "what"),
    [([], "诗", "no characters"), ("，。", "诗", "no char"), (FIVE, "一二三四五", "at most 4")],
)
def test_wrong_arguments(poem, seal, what):
    with pytest.raises(ValueError, match=what):
        poem_card(photo(), poem, "登楼", seal=seal)


def test_missing_glyphs():
    assert missing_glyphs("".join(FIVE + SEVEN) + "，。、：？！《》·…—︙ \n\t\u3000") == set()
    assert missing_glyphs("山😀水\U0002a6a5") == {"😀", "\U0002a6a5"}  # an emoji, and four dragons in one
    assert missing_glyphs("") == set()


def test_a_card_is_quick():
    start = time.process_time()
    poem_card(photo(1600, 1067), SEVEN, "早发白帝城")
    assert time.process_time() - start < 1.5  # about 0.1 s; the rest is for a busy machine


def test_fonts_are_what_they_say():
    names = [ImageFont.truetype(str(path), 20).getname()[0] for path in (fonts.SERIF, fonts.SANS)]
    assert names == ["Noto Serif SC", "Noto Sans SC"]


def test_figures_show_chinese_and_minus(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        family = fonts.use_chinese_fonts()
        known = len(matplotlib.font_manager.fontManager.ttflist)
        assert fonts.use_chinese_fonts() == family
        assert len(matplotlib.font_manager.fontManager.ttflist) == known
        figure = Figure(figsize=(3, 2))
        axes = figure.add_subplot(xlim=(-2, 2), xlabel="春江花月夜", title="λ ✓")
        axes.plot([-2, 2], [-1, 1])
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # matplotlib warns of each glyph that it lacks
            FigureCanvasAgg(figure).print_png(tmp_path / "figure.png")
