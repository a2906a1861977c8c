"""Ink on a photograph: the contrast that WCAG asks for, everywhere, with no more veil than that takes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from helpers.cards import (
    DARK,
    LAYOUTS,
    LIGHT,
    TILE,
    calmest_place,
    contrast_ratio,
    glyph_box,
    lay_veil,
    palettes,
    poem_sheet,
    worst_contrast,
)
from helpers.data import load_image
from helpers.options import THEME_NAMES

ENOUGH = 4.5  # WCAG 2.x, AA
POEM = ["朝辞白帝彩云间", "千里江陵一日还", "两岸猿声啼不住", "轻舟已过万重山"]
SKIN = (224, 172, 140)
SAMPLES = {path.stem: path for path in (Path(__file__).parents[2] / "helpers" / "assets" / "photos").glob("*.jpg")}


def noise(coarse, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (400 // coarse, 600 // coarse, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((600, 400), Image.Resampling.NEAREST)


def checkerboard(cell):
    y, x = np.mgrid[:400, :600] // cell
    return Image.fromarray(((x + y) % 2 * 255).astype(np.uint8))


def halves():
    image = Image.new("RGB", (600, 400), "white")
    image.paste("black", (300, 0, 600, 400))
    return image


def with_face(ground, oval=(360, 30, 580, 330)):
    """A bright oval with two eyes, by default where an inscription would like to stand."""
    ground = ground.copy()
    draw = ImageDraw.Draw(ground)
    draw.ellipse(oval, fill=SKIN)
    for x in (0.3, 0.7):
        eye = oval[0] + x * (oval[2] - oval[0]), oval[1] + 0.4 * (oval[3] - oval[1])
        draw.ellipse((eye[0] - 9, eye[1] - 5, eye[0] + 9, eye[1] + 5), fill=(60, 40, 30))
    return ground


HARD = {
    "white": Image.new("RGB", (600, 400), "white"),
    "black": Image.new("RGB", (600, 400)),
    "middle grey": Image.new("RGB", (600, 400), (118, 118, 118)),
    "pure blue": Image.new("RGB", (600, 400), (0, 0, 255)),
    "checkerboard 40": checkerboard(40),
    "checkerboard 3": checkerboard(3),
    "noise 1": noise(1),
    "noise 25": noise(25),
    "half and half": halves(),
    "stripes": Image.fromarray(np.tile(np.uint8([[0, 0, 255, 255]]), (400, 150))),
    "face on noise": with_face(noise(2)),
    "ramp": Image.linear_gradient("L").resize((600, 400)),
}


CASES = [(name, "auto") for name in (*HARD, *SAMPLES)]
CASES += [
    (name, theme) for name in ("noise 25", "half and half", "night_city", "snow_lake") for theme in ("light", "dark")
]


@pytest.mark.parametrize(
    ("a", "b", "ratio"),
    [
        ((0, 0, 0), (255, 255, 255), 21),
        ((255, 255, 255), (0, 0, 0), 21),
        ((119, 119, 119), (255, 255, 255), 4.478),  # the well-known #777: just too light for text
        ((118, 118, 118), (255, 255, 255), 4.542),
        ((255, 0, 0), (255, 255, 255), 3.998),
        ((0, 0, 255), (255, 255, 255), 8.592),
        ((10, 200, 30), (10, 200, 30), 1),
    ],
)
def test_contrast_ratio(a, b, ratio):
    assert contrast_ratio(a, b) == pytest.approx(ratio, abs=0.001)


def test_contrast_ratio_of_many():
    pixels = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    assert contrast_ratio((255, 255, 255), pixels).tolist() == [[pytest.approx(21), pytest.approx(1)]]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_palettes_can_be_read(palette):
    for ink, ground in (
        (palette.ink, palette.paper),
        (palette.faded, palette.paper),
        (palette.seal_text, palette.seal),
    ):
        assert contrast_ratio(ink, ground) >= ENOUGH
    assert contrast_ratio(palette.ink, palette.paper) > 1.5 * contrast_ratio(palette.faded, palette.paper)


@pytest.mark.parametrize(("name", "theme"), CASES)
def test_an_inscription_can_be_read_everywhere(name, theme):
    image = HARD[name] if name in HARD else load_image(SAMPLES[name])
    sheet = poem_sheet(image, POEM, "早发白帝城", layout="inscription", theme=theme)
    assert worst_contrast(sheet) >= ENOUGH
    # The same by another way: wherever the card shows ink, the ground below it.
    ground, card = np.asarray(sheet.ground), np.asarray(sheet.write())
    left, top = (round(sheet.at[i] + sheet.block.seal_box[i]) for i in (0, 1))
    inked = (card != ground).any(axis=2)
    inked[top - 2 :, : left + round(sheet.block.seal_box[2]) + 2] = False  # the seal stands on its own red
    assert inked.sum() > 1000
    assert contrast_ratio(sheet.palette.ink, ground[inked]).min() >= ENOUGH
    strokes = (np.abs(card[inked].astype(int) - sheet.palette.ink) <= 2).all(axis=1)
    assert strokes.mean() > 0.2  # it is this ink that they were written with


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "inscription"])
@pytest.mark.parametrize("theme", THEME_NAMES)
def test_on_paper_too(layout, theme):
    assert worst_contrast(poem_sheet(noise(4), POEM, "早发白帝城", layout=layout, theme=theme)) >= ENOUGH


@pytest.mark.parametrize("name", ["white", "black"])
def test_no_veil_where_none_is_needed(name):
    sheet = poem_sheet(HARD[name], POEM, "", layout="inscription")
    assert sheet.ground.getcolors() == HARD[name].convert("RGB").resize(sheet.ground.size).getcolors()
    assert sheet.palette == {"white": LIGHT, "black": DARK}[name]


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("colour", [(118, 118, 118), (200, 30, 60), (30, 90, 200), (128, 128, 0)])
def test_the_veil_is_no_stronger_than_needed(palette, colour):
    plain = Image.new("RGB", (400, 300), colour)
    before = contrast_ratio(palette.ink, colour)
    after = contrast_ratio(palette.ink, np.asarray(lay_veil(plain, (100, 100, 300, 200), palette, softness=30)))
    if before >= ENOUGH:
        assert np.allclose(after, before)
    else:
        inside = after[100:200, 100:300]
        assert inside.min() >= ENOUGH and inside.max() < ENOUGH + 0.35
        assert np.allclose(after[0], before) and np.allclose(after[:, 0], before)  # it has faded out at the edges


def test_the_veil_lies_where_it_is_needed():
    image = halves()
    veiled = np.asarray(lay_veil(image, (100, 100, 500, 300), LIGHT, softness=20)).astype(int)
    change = np.abs(veiled - np.asarray(image)).sum(axis=2)
    assert change[:, : 300 - 60].max() == 0  # white needs none
    assert change[100:300, 300:500].min() > 100
    rows = np.abs(np.diff(change[:, 450]))
    assert rows.max() < 25  # no hard edge


def test_worst_contrast_sees_a_single_pixel():
    sheet = poem_sheet(HARD["white"], POEM, "", layout="inscription")
    before = worst_contrast(sheet)
    left, top, *_ = glyph_box(sheet.block.poem[13], sheet.at)
    sheet.ground.putpixel((left + 3, top + 3), (60, 60, 60))
    assert worst_contrast(sheet) < 2 < ENOUGH < before


# --- where it is written ---


def place(image, size=(150, 150), margin=10, theme="auto"):
    return calmest_place(image.convert("RGB"), size, margin, palettes(theme))


def test_the_margin_is_not_a_calm_place():
    image = noise(3)
    for hole in ((0, 0, 180, 180), (300, 150, 480, 330)):
        image.paste("white", hole)
    assert share_inside(place(image, margin=60).box, (300, 150, 480, 330)) > 0.97


def share_inside(box, other):
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(0, width) * max(0, height) / ((box[2] - box[0]) * (box[3] - box[1]))


@pytest.mark.parametrize("corner", [(20, 30), (390, 20), (30, 200), (380, 190), (200, 110)])
@pytest.mark.parametrize("calm", ["white", "black"])
def test_the_calm_place_is_found(corner, calm):
    image = noise(3)
    hole = *corner, corner[0] + 180, corner[1] + 180
    image.paste(calm, hole)
    found = place(image)
    assert share_inside(found.box, hole) > 0.97
    assert found.box[2] - found.box[0] == found.box[3] - found.box[1] == 150
    assert found.unrest < 0.1 * place(noise(3)).unrest


def test_the_place_keeps_the_margin():
    image = noise(2)
    image.paste("white", (0, 0, 200, 200))
    left, top, right, bottom = place(image, margin=31).box
    assert left >= 31 and top >= 31 and right <= 600 - 31 and bottom <= 400 - 31


@pytest.mark.parametrize("oval", [(360, 30, 580, 330), (20, 30, 240, 330), (190, 50, 410, 350)])
@pytest.mark.parametrize("ground", [(240, 240, 240), (30, 40, 60), (190, 205, 220)])
def test_a_face_is_left_free(ground, oval):
    image = with_face(Image.new("RGB", (600, 400), ground), oval).filter(ImageFilter.GaussianBlur(1))
    assert share_inside(place(image, (120, 120)).box, oval) < 0.05


def test_a_face_is_left_free_even_where_it_is_smoother():
    grain = np.random.default_rng(0).normal(190, 2, (400, 600, 1)) + np.zeros(3)
    image = Image.fromarray(grain.clip(0, 255).astype(np.uint8))
    ImageDraw.Draw(image).ellipse((330, 60, 560, 340), fill=SKIN)  # no eyes: nothing in it stirs
    assert share_inside(place(image, (120, 120)).box, (330, 60, 560, 340)) < 0.05


def test_an_evening_sky_is_no_face():
    image = Image.fromarray(np.random.default_rng(0).normal(130, 4, (400, 600)).clip(0, 255).astype(np.uint8))
    image = image.convert("RGB")  # sand, less smooth than the sky and darker
    image.paste(SKIN, (0, 0, 600, 220))
    assert share_inside(place(image).box, (0, 0, 600, 220)) > 0.97


def test_a_glow_is_left_free():
    y, x = np.mgrid[:400, :600]
    glow = np.exp(-(((x - 480) / 60) ** 2 + ((y - 110) / 60) ** 2))  # the low sun, in a sky without an edge
    grain = np.random.default_rng(0).normal(0, 4, glow.shape) * (glow < 0.05)  # which is even smoother there
    image = Image.fromarray((150 + 95 * glow + grain).clip(0, 255).astype(np.uint8))
    assert share_inside(place(image, (120, 120)).box, (400, 30, 560, 190)) < 0.05


def test_the_ink_asked_for_decides_the_place():
    image = halves()  # equally calm
    assert place(image, theme="light").box[2] <= 300 <= place(image, theme="dark").box[0]


def test_the_ground_is_veiled_by_whole_tiles_at_the_card_s_edge():
    image = noise(1).crop((0, 0, 203, 101))  # not a multiple of a tile
    assert 203 % TILE and 101 % TILE
    veiled = np.asarray(lay_veil(image, (100, 50, 203, 101), DARK, softness=8))
    assert contrast_ratio(DARK.ink, veiled[50:, 100:]).min() >= ENOUGH
