"""Columns of type, and the fonts that they are drawn with."""

import warnings

import numpy as np
import pytest
from PIL import Image, ImageFont

from helpers.cards import BRUSH, LIGHT, SANS, SERIF, CardText, draw_block, glyph_box, missing_glyphs, set_block
from helpers.plots import use_chinese_fonts

FOUR = ["霸" * 7] * 4


def block(poem=FOUR, title="", seal="", size=50.0):
    return set_block(CardText.read(poem, title, seal), size)


def drawn(poem):
    """The ink of a poem of one line, (H, W) of bool."""
    one = block([poem], size=80)
    card = Image.new("RGB", (one.width + 80, one.height + 80), "white")
    draw_block(card, one, (40, 40), LIGHT, LIGHT.faded)
    return np.asarray(card.convert("L")) < 128


@pytest.mark.parametrize("length", [1, 5, 7])
def test_cells_are_even_and_fill_the_block(length):
    one = block(["霸" * length] * 4)
    left = np.array([glyph.left for glyph in one.poem]).reshape(4, length)
    top = np.array([glyph.top for glyph in one.poem]).reshape(4, length)
    assert np.ptp(left, axis=1).max() == 0 and np.ptp(top, axis=0).max() == 0
    assert np.allclose(np.diff(left[:, 0]), left[1, 0] - left[0, 0]) and left[1, 0] < left[0, 0]
    assert length == 1 or (np.diff(top[0]) > 50).all()
    assert left.min() == pytest.approx(0) and left.max() + 50 == pytest.approx(one.width, abs=1)
    assert top.min() == 0 and top.max() + 50 == pytest.approx(one.height, abs=1)


@pytest.mark.parametrize(("length", "wanted"), [(0, 0), (1, 1), (11, 1), (12, 2), (22, 2), (23, 2), (300, 2)])
def test_title_takes_one_column_then_two_then_an_ellipsis(length, wanted):
    one = block(title="霸" * length)
    columns = {glyph.left for glyph in one.title}
    assert len(columns) == wanted
    assert all(glyph.top + glyph.size <= one.height + 1 for glyph in one.title)
    assert all(glyph.size < 0.7 * one.size for glyph in one.title)
    assert not columns or min(columns) > max(glyph.left for glyph in one.poem) + one.size  # first, so rightmost
    assert sum(glyph.char == "霸" for glyph in one.title) == min(length, 22 if length <= 22 else 21)
    assert (one.title[-1].char == "︙") if length > 22 else all(glyph.char == "霸" for glyph in one.title)


def test_second_title_column_does_not_begin_with_a_comma():
    with_comma, without = (block(["霸" * 5] * 4, title="霸" * 6 + comma + "霸" * 5) for comma in ("，", ""))
    assert with_comma == without


def test_title_brackets_go_and_punctuation_stands_upright():
    assert CardText.read("山", " 《登 鹳雀楼》 ", "").title == "登 鹳雀楼"
    assert CardText.read("山", "春，夏（秋）", "").title == "春︐夏︵秋︶"


def test_nothing_overlaps():
    one = block(title="题" * 18, seal="诗情画意")
    boxes = np.array([glyph_box(glyph, (0, 0)) for glyph in (*one.title, *one.poem)])
    seal = np.array([one.seal_box])
    for i, a in enumerate(boxes):
        others = np.concatenate([boxes[:i], boxes[i + 1 :], seal])
        overlap = np.minimum(a[2:], others[:, 2:]) - np.maximum(a[:2], others[:, :2])
        assert not (overlap > 1).all(axis=1).any()  # 1: the boxes are rounded outwards


def test_a_high_seal_stays_within_a_short_poem():
    one = block(["山"], seal="诗画缘")
    assert min(glyph.top for glyph in one.seal) > 0 and one.seal_box[1] >= 0


def test_a_character_is_drawn_in_its_square():
    ink = drawn("霸")
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    assert all(ends[0] > 30 and ends[-1] < 130 for ends in (rows, columns))
    assert abs((rows[0] + rows[-1]) / 2 - 80) < 8 and abs((columns[0] + columns[-1]) / 2 - 80) < 8
    assert rows[-1] - rows[0] > 55


def test_what_the_brush_lacks_is_drawn_in_print():
    brush = ImageFont.truetype(str(BRUSH), 60)
    assert brush.getmask("飏").getbbox() is None  # in the poem model's vocabulary, but not simplified enough
    assert 0.05 < drawn("飏")[40:120, 40:120].mean() < 0.6


def test_missing_glyphs():
    assert missing_glyphs("白日依山尽飏疎长長，。、：？！《》·…—︙ \n\t\u3000") == set()
    assert missing_glyphs("山😀水\U0002a6a5") == {"😀", "\U0002a6a5"}  # an emoji, and four dragons in one
    assert missing_glyphs("") == set()


def test_the_brush_has_nearly_all_that_poems_are_written_with():
    text = "".join((BRUSH.parents[1] / "keyword.txt").read_text(encoding="utf-8").split())
    chinese = [char for char in text if "\u4e00" <= char <= "\u9fff"]
    font = ImageFont.truetype(str(BRUSH), 24)
    assert np.mean([font.getmask(char).getbbox() is not None for char in chinese]) > 0.99


def test_fonts_are_what_they_say():
    names = [ImageFont.truetype(str(path), 20).getname()[0] for path in (BRUSH, SERIF, SANS)]
    assert names == ["Ma Shan Zheng", "Noto Serif SC", "Noto Sans SC"]
    assert "SIL Open Font License" in (BRUSH.parent / "OFL.txt").read_text(encoding="utf-8")


def test_figures_show_chinese_and_minus(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        family = use_chinese_fonts()
        known = len(matplotlib.font_manager.fontManager.ttflist)
        assert use_chinese_fonts() == family
        assert len(matplotlib.font_manager.fontManager.ttflist) == known
        figure = Figure(figsize=(3, 2))
        axes = figure.add_subplot(xlim=(-2, 2), xlabel="春江花月夜", title="λ ✓")
        axes.plot([-2, 2], [-1, 1])
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # matplotlib warns of each glyph that it lacks
            FigureCanvasAgg(figure).print_png(tmp_path / "figure.png")
