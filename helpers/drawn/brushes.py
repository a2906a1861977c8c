"""The drawn mini set: single things. Each function draws one plant, thing or flock on a canvas.

Coordinates and chance as in `helpers.drawn.canvas`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from helpers.drawn.canvas import (
    BARK,
    DOT,
    INK,
    LEAF,
    LIT,
    MAPLE_LEAF,
    PETAL,
    RED,
    ROOF,
    SKIN,
    STONE,
    STRAW,
    WHITE,
    WOOD,
    Canvas,
    Colour,
    both_sides,
    curve,
    ring,
    scatter,
)

# --- plants: at the left, their feet near the lower edge --------------------------------------------------------------


def willow(canvas: Canvas, rng: np.random.Generator) -> None:
    x, top = rng.uniform(0.1, 0.16), rng.uniform(0.3, 0.36)
    canvas.brush(curve((x - 0.02, 0.98), (x + 0.05, 0.75), (x - 0.03, 0.55), (x + 0.08, top)), 0.055, 0.02, BARK)
    canvas.brush(curve((x + 0.02, 0.55), (x - 0.04, 0.4), (x - 0.1, top + 0.02)), 0.025, 0.008, BARK)
    canvas.brush(curve((x + 0.06, top + 0.06), (x + 0.14, top - 0.05), (x + 0.22, top + 0.03)), 0.02, 0.006, BARK)
    leaves, angles = [], []
    for start in np.linspace(x - 0.16, x + 0.27, 24) + rng.normal(0, 0.006, 24):
        arch = ((start - x - 0.05) / 0.22) ** 2
        head, drop = top - 0.07 + 0.1 * arch, rng.uniform(0.26, 0.46) * (1.1 - 0.3 * arch)
        out = 0.07 * (start - x - 0.05) / 0.2 + 0.02
        strand = curve((start, head), (start + out, head - 0.02), (start + out, head + drop), steps=10)
        canvas.line(strand, 0.003, (112, 140, 62), 0.9)
        leaves.append(np.repeat(strand[1:], 2, axis=0))
        angles.append(np.tile([0.9, 2.2], 9) + rng.normal(0, 0.15, 18))
    greens = [(124, 158, 66), (96, 134, 58), (150, 178, 84)]
    canvas.stamp(LEAF * [1, 1.3], np.concatenate(leaves), 0.034, np.concatenate(angles), greens, 0.85)


def pine(canvas: Canvas, rng: np.random.Generator) -> None:
    x = rng.uniform(0.12, 0.17)
    trunk = curve((x - 0.04, 0.98), (x + 0.08, 0.8), (x - 0.1, 0.6), (x + 0.06, 0.36), steps=16)
    canvas.brush(trunk, 0.055, 0.018, (96, 64, 48))
    canvas.line(trunk + [-0.008, 0], 0.004, (58, 40, 34), 0.7)
    pads = [(0.06, 0.34, 0.12), (-0.07, 0.44, 0.11), (0.15, 0.47, 0.13), (-0.08, 0.59, 0.1), (0.16, 0.63, 0.1)]
    for dx, y, width in pads:
        y, width = y + rng.uniform(-0.02, 0.02), width * rng.uniform(0.9, 1.12)
        centre = x + dx
        joint = trunk[np.abs(trunk[:, 1] - y - 0.07).argmin()]
        canvas.brush(curve(tuple(joint), (centre, y + 0.05), (centre + dx / 4, y + 0.01)), 0.016, 0.006, (96, 64, 48))
        clumps = [centre, y] + np.array([[-0.62, 0.1], [0.62, 0.1], [-0.25, -0.1], [0.3, -0.12]]) * [width, width / 2]
        canvas.stamp(DOT * [1, 0.42], clumps, width * 0.5, 0.0, [(40, 74, 56)], 0.95)
        feet = [centre, y + 0.015] + np.stack([np.linspace(-1, 1, 20), np.zeros(20)], 1) * [width, 1]
        feet[:, 1] += rng.uniform(-0.02, 0.01, 20)
        angles = -np.pi / 2 + np.linspace(-0.9, 0.9, 20) + rng.normal(0, 0.2, 20)
        canvas.stamp(LEAF * [1, 0.7], feet, width * 0.42, angles, [(30, 60, 46), (62, 100, 70), (44, 84, 58)], 0.9)
        if canvas.snow:
            canvas.stamp(DOT * [1, 0.3], clumps - [0, width * 0.16], width * 0.44, 0.0, [WHITE], 0.95)


def plum_blossom(canvas: Canvas, rng: np.random.Generator) -> None:
    x, bark = rng.uniform(0.04, 0.09), (66, 50, 48)
    trunk = np.array([[x, 1.0], [x + 0.05, 0.82], [x + 0.02, 0.7], [x + 0.1, 0.56], [x + 0.09, 0.46]])
    canvas.brush(trunk, 0.06, 0.026, bark)
    ends = [(0.02, 0.68, -0.1, 0.42), (0.09, 0.48, 0.02, 0.27), (0.09, 0.48, 0.2, 0.3), (0.08, 0.58, 0.34, 0.44)]
    twigs = []
    for x0, y0, x1, y1 in [*ends, (0.04, 0.78, 0.3, 0.6)]:
        bend = np.array([[x0, y0], [x0 * 0.6 + x1 * 0.4, y0 * 0.5 + y1 * 0.5 + 0.03], [x1, y1]]) + [x, 0]
        bend[1:] += rng.uniform(-0.02, 0.02, (2, 2))
        canvas.brush(bend, 0.022, 0.006, bark)
        points = np.concatenate([bend[0] + (bend[1] - bend[0]) * [[0.6], [0.9]], np.linspace(bend[1], bend[2], 6)])
        twigs.append(points + rng.normal(0, 0.022, points.shape))
    places = np.concatenate(twigs)
    for start, end in zip(places[::2] + rng.normal(0, 0.03, places[::2].shape), places[::2], strict=True):
        canvas.line([start, end], 0.005, bark)
    places = np.concatenate([places, places[::3] + rng.normal(0, 0.03, places[::3].shape)])
    sizes = rng.uniform(0.013, 0.019, len(places))
    for turn in range(5):
        angle = 2 * np.pi * turn / 5 + places[:, 0] * 40
        petals = places + np.stack([np.cos(angle), np.sin(angle)], 1) * sizes[:, None]
        canvas.stamp(DOT, petals, sizes * 0.85, 0.0, [(232, 92, 124), (244, 140, 160), (250, 176, 188)])
    canvas.stamp(DOT, places, sizes * 0.42, 0.0, [(250, 218, 110)])
    if canvas.snow:
        canvas.stamp(DOT * [1, 0.35], trunk + [-0.008, -0.01], 0.026, 0.0, [WHITE], 0.9)


def lotus(canvas: Canvas, rng: np.random.Generator) -> None:
    stalk, x = (74, 116, 76), rng.uniform(-0.01, 0.03)
    leaves = [(0.05, 0.66, 0.085), (0.2, 0.78, 0.1), (0.02, 0.86, 0.1), (0.36, 0.88, 0.085), (0.18, 0.94, 0.1)]
    for dx, y, radius in leaves:
        y, radius, cx = y + rng.uniform(-0.02, 0.02), radius * rng.uniform(0.95, 1.12), x + dx
        canvas.brush(curve((cx + 0.02, 1.02), (cx + 0.03, y + 0.1), (cx, y)), 0.009, 0.007, stalk)
        canvas.disc(cx, y, radius, (58, 116, 86), flat=0.5)
        canvas.disc(cx, y - radius * 0.05, radius * 0.93, (88, 152, 104), flat=0.46)
        for spoke in ring(9) * [radius * 0.88, radius * 0.42]:
            canvas.line([(cx, y), (cx + spoke[0], y - radius * 0.05 + spoke[1])], 0.003, (52, 108, 80), 0.8)
    for dx, y, size in [(0.11, 0.5, 0.13), (0.29, 0.64, 0.115), (0.4, 0.76, 0.08)]:
        cx, y = x + dx + rng.uniform(-0.015, 0.015), y + rng.uniform(-0.03, 0.02)
        canvas.brush(curve((cx + 0.03, 1.0), (cx - 0.02, 0.85), (cx, y)), 0.01, 0.008, stalk)
        for count, spread, length, colour in (
            (6, 1.35, 0.95, (240, 150, 176)),
            (5, 0.95, 1.05, (246, 178, 196)),
            (3, 0.4, 1.0, (252, 212, 218)),
        ):
            angles = -np.pi / 2 + np.linspace(-spread, spread, count)
            canvas.stamp(PETAL * [1, 1.15], np.full((count, 2), (cx, y)), size * length, angles, [(206, 84, 124)])
            canvas.stamp(PETAL, np.full((count, 2), (cx, y)), size * length * 0.94, angles, [colour])


def bamboo(canvas: Canvas, rng: np.random.Generator) -> None:
    stems = np.sort(rng.uniform(-0.012, 0.012, 4) + [0.05, 0.13, 0.21, 0.29])
    roots, angles = [], []
    for index, x in enumerate(stems):
        top, width = rng.uniform(0.18, 0.36), rng.uniform(0.017, 0.024)
        path = curve((x, 1.02), (x + 0.01, 0.7), (x + 0.03, top), steps=9)
        shade = [(92, 134, 78), (122, 158, 90)][index % 2]
        for low, high in zip(path, path[1:], strict=False):
            canvas.brush([low - [0, 0.006], high + [0, 0.004]], width, width, shade)
            canvas.line([high - [width * 0.6, 0], high + [width * 0.6, 0]], 0.005, (64, 96, 58))
        for node in path[4:]:
            for side in (-1, 1):
                tip = node + [side * rng.uniform(0.03, 0.06), rng.uniform(-0.03, 0.01)]
                canvas.line([node, tip], 0.004, (84, 122, 70))
                roots.append(np.repeat([tip], 4, axis=0))
                angles.append(np.pi / 2 - side * (rng.uniform(0.1, 0.4) + np.array([-0.35, 0.15, 0.6, 1.05])))
    greens = [(54, 100, 62), (82, 132, 76), (68, 116, 62)]
    places = np.concatenate(roots)
    canvas.stamp(LEAF, places, rng.uniform(0.07, 0.11, len(places)), np.concatenate(angles), greens, 0.95)
    if canvas.snow:
        canvas.stamp(DOT * [1, 0.4], places[::4] + [0, 0.006], 0.026, 0.0, [WHITE], 0.95)


def maple(canvas: Canvas, rng: np.random.Generator) -> None:
    x = rng.uniform(0.1, 0.16)
    canvas.brush(curve((x, 1.0), (x + 0.03, 0.8), (x - 0.01, 0.65), (x + 0.03, 0.45)), 0.05, 0.018, (74, 54, 50))
    for dx, y in [(-0.12, 0.48), (0.15, 0.42), (0.18, 0.55), (0.04, 0.33)]:
        canvas.brush(curve((x + 0.01, 0.7), (x + dx * 0.6, y + 0.14), (x + dx, y)), 0.02, 0.006, (74, 54, 50))
    crowns = [(-0.09, 0.47, 0.12, 0.1), (0.05, 0.36, 0.14, 0.11), (0.17, 0.46, 0.12, 0.1), (0.05, 0.52, 0.16, 0.08)]
    places = np.concatenate([scatter(rng, 34, x + dx, y, width, height) for dx, y, width, height in crowns])
    fallen = rng.uniform((x - 0.1, 0.93), (x + 0.3, 0.99), (9, 2))
    places = np.concatenate([places, fallen])
    sizes, angles = rng.uniform(0.026, 0.042, len(places)), rng.uniform(0, 6.3, len(places))
    reds = [(196, 44, 34), (222, 78, 36), (164, 32, 36), (236, 122, 48)]
    canvas.stamp(MAPLE_LEAF, places, sizes, angles, reds)


def reeds(canvas: Canvas, rng: np.random.Generator) -> None:
    count = 15
    feet = np.linspace(-0.02, 0.34, count) + rng.normal(0, 0.008, count)
    for x, top, lean in zip(feet, rng.uniform(0.42, 0.66, count), rng.uniform(0.04, 0.12, count), strict=True):
        stem = curve((x, 1.02), (x + 0.01, 0.8), (x + lean, top))
        canvas.line(stem, 0.005, (138, 128, 74))
        blade = curve((x, 1.0), (x + lean * 0.2, top + 0.15), (x + lean * 2.2 - 0.06, top + 0.22))
        canvas.brush(blade, 0.012, 0.002, (120, 136, 78), 0.9)
        plume = curve((x + lean, top + 0.01), (x + lean + 0.03, top - 0.09), (x + lean + 0.11, top - 0.06), steps=9)
        places = np.repeat(plume, 2, axis=0)
        angles = np.tile([0.5, 1.2], 9) - np.repeat(np.linspace(0.9, 0, 9), 2)
        canvas.stamp(LEAF * [1, 1.3], places, 0.05, angles, [(232, 216, 184), (206, 184, 148), (246, 236, 212)], 0.9)


def chrysanthemum(canvas: Canvas, rng: np.random.Generator) -> None:
    flowers = [(0.1, 0.52, 0.082), (0.25, 0.6, 0.088), (0.06, 0.7, 0.08), (0.2, 0.77, 0.09), (0.35, 0.77, 0.07)]
    golds = [((244, 196, 52), (206, 142, 24)), ((250, 222, 116), (222, 168, 44)), ((248, 240, 214), (222, 196, 130))]
    heads = [(x + rng.uniform(-0.015, 0.015), y + rng.uniform(-0.02, 0.02), size) for x, y, size in flowers]
    for x, y, _ in heads:
        stem = curve((0.2 + (x - 0.2) * 0.5, 1.02), (x, 0.9), (x, y))
        canvas.line(stem, 0.009, (70, 100, 58))
        angles = rng.uniform(-0.5, 0.5, 6) + [0.3, 2.8] * 3
        canvas.stamp(PETAL * [1, 1.3], stem[1:7], 0.085, angles, [(66, 104, 64), (90, 130, 76)])
    for (x, y, size), turn in zip(heads, rng.integers(0, 3, len(heads)), strict=True):
        light, dark = golds[turn]
        for count, length, colours in ((18, 1.0, [light, dark]), (14, 0.72, [light]), (9, 0.42, [dark, light])):
            places = np.full((count, 2), (x, y))
            canvas.stamp(PETAL * [1, 0.62], places, size * length, np.linspace(0, 6.28, count, False), [dark])
            canvas.stamp(PETAL * [1, 0.48], places, size * length * 0.95, np.linspace(0, 6.28, count, False), colours)
        canvas.disc(x, y, size * 0.14, (196, 120, 24))


# --- things: at the right, standing at y = 0.86 or floating there -----------------------------------------------------

GROUND = 0.86
WATERLINE = 0.87  # the y of boat and bridge


def eave(canvas: Canvas, x: float, y: float, half: float, height: float) -> None:
    """A roof with upturned corners, its lower edge at y."""
    over = curve((x - half * 1.12, y - height * 0.3), (x - half * 0.55, y), (x - half * 0.25, y - height))
    under = curve((x - half * 1.12, y - height * 0.3), (x - half * 0.6, y + height * 0.1), (x, y + height * 0.08))
    canvas.shape(np.concatenate([both_sides(over, x), both_sides(under, x)[::-1]]), ROOF)
    canvas.line(both_sides(under, x), 0.007, (146, 62, 44))
    if canvas.snow:
        upper = both_sides(over[5:] - [0, height * 0.04], x)
        canvas.shape(upper, WHITE)
        canvas.line(upper, 0.005, (132, 142, 156))  # or white roofs would be lost before a white sky


def window(canvas: Canvas, left: float, top: float, right: float, bottom: float) -> None:
    """Dark by day, warm at night."""
    if canvas.night:
        canvas.glow((left + right) / 2, (top + bottom) / 2, 2.2 * (right - left), LIT, 0.5)
    canvas.box(left, top, right, bottom, LIT if canvas.night else INK, glows=canvas.night)


def boat(canvas: Canvas, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.64, 0.7), WATERLINE - 0.036
    deck = curve((x - 0.21, y - 0.075), (x - 0.1, y), (x + 0.1, y), (x + 0.21, y - 0.06))
    keel = curve((x + 0.21, y - 0.06), (x + 0.13, y + 0.075), (x - 0.13, y + 0.075), (x - 0.21, y - 0.075))
    canvas.shape(np.concatenate([deck, keel]), (92, 58, 40))
    canvas.line(deck, 0.009, (142, 96, 62))
    arch = [x + 0.01, y - 0.012] + ring(20, 0.5, 1.0) * [0.095, 0.105]
    canvas.shape(arch, (176, 136, 82))
    for scale in (0.35, 0.7, 1.0):
        canvas.line([x + 0.01, y - 0.012] + ring(20, 0.5, 1.0) * [0.095 * scale, 0.105], 0.004, (122, 88, 52))
    if canvas.night:
        canvas.glow(x + 0.13, y - 0.07, 0.12, LIT, 0.8)
        canvas.disc(x + 0.13, y - 0.07, 0.014, (255, 170, 90))
    person(canvas, x - 0.135, y - 0.03, 0.13, (86, 96, 116))
    canvas.line([(x - 0.08, y - 0.22), (x - 0.2, y + 0.09)], 0.006, (70, 50, 38))


def person(canvas: Canvas, x: float, foot: float, height: float, robe: Colour) -> None:
    """A figure in a robe and a pointed straw hat."""
    top = foot - height
    body = curve(
        (x - height * 0.08, top + height * 0.25), (x - height * 0.25, foot - height * 0.3), (x - height * 0.24, foot)
    )
    canvas.shape(both_sides(body, x), robe)
    canvas.disc(x, top + height * 0.2, height * 0.1, SKIN)
    hat = [[x - height * 0.28, top + height * 0.2], [x, top - height * 0.04], [x + height * 0.28, top + height * 0.2]]
    canvas.shape(hat, STRAW)


def bridge(canvas: Canvas, rng: np.random.Generator) -> None:
    x, half, foot = rng.uniform(0.68, 0.72), 0.28, WATERLINE - 0.03
    rise = rng.uniform(0.17, 0.2)
    deck = curve((x - half, foot - 0.02), (x - half * 0.45, foot - rise * 1.15), (x, foot - rise * 1.25), steps=9)
    deck = np.concatenate([deck[:-1], both_sides(deck, x)[len(deck) :]])
    opening = [x, foot + 0.03] + ring(24, 0.5, 1.0) * [0.135, rise * 0.88]
    wall = np.concatenate([deck, [[x + half, foot + 0.03]], opening[::-1], [[x - half, foot + 0.03]]])
    canvas.shape(wall, STONE)
    canvas.line(opening, 0.012, (118, 112, 104))
    for stone in (ring(11, 0.52, 0.98) * [0.135, rise * 0.88]).tolist():
        canvas.line(
            [(x + stone[0], foot + 0.03 + stone[1]), (x + stone[0] * 1.2, foot + 0.03 + stone[1] * 1.2)],
            0.004,
            (118, 112, 104),
        )
    canvas.line(deck, 0.012, WHITE if canvas.snow else (128, 122, 114))
    rail = deck - [0, 0.045]
    for post, top in zip(deck[::2], rail[::2], strict=True):
        canvas.line([post, top - [0, 0.01]], 0.01, (128, 122, 114))
    canvas.line(rail, 0.008, WHITE if canvas.snow else (150, 144, 134))


def pavilion(canvas: Canvas, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.68, 0.74), GROUND
    canvas.box(x - 0.17, y - 0.03, x + 0.17, y + 0.01, STONE)
    if canvas.night:
        canvas.glow(x, y - 0.14, 0.22, LIT, 0.75)
    for dx in (-0.13, -0.05, 0.05, 0.13):
        canvas.box(x + dx - 0.009, y - 0.24, x + dx + 0.009, y - 0.03, RED)
    for dx in (-0.09, 0.09):
        canvas.line([(x + dx - 0.035, y - 0.075), (x + dx + 0.035, y - 0.075)], 0.009, (142, 50, 38))
    canvas.box(x - 0.145, y - 0.25, x + 0.145, y - 0.225, (120, 52, 40))
    eave(canvas, x, y - 0.24, 0.19, 0.11)
    canvas.shape([[x - 0.05, y - 0.345], [x, y - 0.41], [x + 0.05, y - 0.345]], WHITE if canvas.snow else ROOF)
    canvas.disc(x, y - 0.415, 0.014, (198, 156, 62))


def pagoda(canvas: Canvas, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.7, 0.78), GROUND
    canvas.box(x - 0.125, y - 0.02, x + 0.125, y + 0.01, STONE)
    for floor in range(5):
        half, height = 0.1 - 0.015 * floor, 0.098 - 0.006 * floor
        canvas.box(x - half, y - height, x + half, y - 0.01, (212, 190, 160))
        for edge in (-half, half - 0.012):
            canvas.box(x + edge, y - height, x + edge + 0.012, y - 0.01, (162, 60, 44))
        window(canvas, x - half * 0.3, y - height * 0.62, x + half * 0.3, y - 0.016)
        eave(canvas, x, y - height + 0.022, half * 1.42, 0.045)
        y -= height
    canvas.shape([[x - 0.03, y], [x, y - 0.05], [x + 0.03, y]], ROOF)
    canvas.line([(x, y - 0.02), (x, y - 0.11)], 0.008, (176, 138, 58))


def lantern(canvas: Canvas, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.64, 0.7), rng.uniform(0.58, 0.62)
    canvas.line([(x + 0.17, 0.94), (x + 0.17, y - 0.21)], 0.018, WOOD)
    canvas.line([(x + 0.2, y - 0.18), (x - 0.04, y - 0.18)], 0.014, WOOD)
    canvas.line([(x + 0.17, y - 0.1), (x + 0.09, y - 0.18)], 0.009, WOOD)
    canvas.line([(x, y - 0.18), (x, y - 0.1)], 0.005, INK)
    canvas.glow(x, y, 0.34, (255, 150, 70), 0.85 if canvas.night else 0.25)
    globe = [x, y] + ring(32) * [0.125, 0.1]
    canvas.shape(globe, (236, 64, 40) if canvas.night else (206, 44, 36), glows=canvas.night)
    canvas.glow(x, y, 0.11, (255, 206, 110), 0.85 if canvas.night else 0.35)
    for part in (0.4, 0.8):
        canvas.line([x, y] + ring(32) * [0.125 * part, 0.1], 0.004, (150, 26, 26))
    for edge in (y - 0.1, y + 0.1):
        canvas.box(x - 0.045, edge - 0.012, x + 0.045, edge + 0.012, (206, 160, 60))
    canvas.brush([(x, y + 0.11), (x, y + 0.2)], 0.014, 0.03, RED)
    if canvas.snow:
        canvas.line([(x + 0.2, y - 0.19), (x - 0.04, y - 0.19)], 0.012, WHITE)


def hut(canvas: Canvas, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.68, 0.74), GROUND
    canvas.box(x - 0.14, y - 0.15, x + 0.14, y + 0.01, (186, 160, 124))
    for dx in (-0.14, -0.02, 0.14):
        canvas.line([(x + dx, y - 0.15), (x + dx, y + 0.01)], 0.008, (112, 82, 56))
    window(canvas, x + 0.03, y - 0.115, x + 0.1, y - 0.06)
    canvas.box(x - 0.105, y - 0.12, x - 0.045, y + 0.01, (96, 66, 46))
    thatch = curve((x - 0.22, y - 0.12), (x - 0.12, y - 0.2), (x - 0.1, y - 0.3), steps=8)
    canvas.shape(both_sides(thatch, x), (168, 130, 72))
    for part in np.linspace(-1, 1, 15):
        canvas.line([(x + 0.09 * part, y - 0.29), (x + 0.21 * part, y - 0.115)], 0.005, (122, 90, 48), 0.8)
    if canvas.snow:
        canvas.shape(both_sides(thatch[3:], x), WHITE)
    canvas.line([(x - 0.105, y - 0.3), (x + 0.105, y - 0.3)], 0.016, WHITE if canvas.snow else (130, 98, 54))
    for dx in np.arange(0.17, 0.28, 0.03):
        canvas.line([(x + dx, y - 0.05), (x + dx, y + 0.015)], 0.007, WOOD)
    canvas.line([(x + 0.15, y - 0.03), (x + 0.28, y - 0.03)], 0.006, WOOD)


def fisherman(canvas: Canvas, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.78, 0.84), GROUND
    rock = [x + 0.02, y + 0.02] + ring(9, 0.5, 1.0) * [0.16, 0.1] * rng.uniform(0.88, 1.1, (9, 1))
    canvas.shape(rock, (112, 110, 108))
    canvas.line(rock[1:-2], 0.008, WHITE if canvas.snow else (70, 68, 70))
    foot = y - 0.06
    canvas.brush(curve((x, foot - 0.01), (x - 0.09, foot - 0.02), (x - 0.08, foot + 0.07)), 0.045, 0.024, (60, 74, 100))
    cape = curve((x - 0.02, foot - 0.17), (x - 0.08, foot - 0.08), (x - 0.075, foot))
    canvas.shape(
        np.concatenate([cape, [[x + 0.075, foot]], [[x + 0.06, foot - 0.1], [x + 0.02, foot - 0.17]]]), (152, 120, 70)
    )
    for part in np.linspace(-1, 1, 7):
        canvas.line([(x + 0.015 * part, foot - 0.16), (x + 0.07 * part, foot)], 0.004, (108, 82, 46), 0.8)
    canvas.disc(x - 0.012, foot - 0.185, 0.026, SKIN)
    canvas.shape(
        [[x - 0.1, foot - 0.18], [x - 0.005, foot - 0.265], [x + 0.09, foot - 0.18]], WHITE if canvas.snow else STRAW
    )
    canvas.brush(
        curve((x - 0.02, foot - 0.12), (x - 0.06, foot - 0.07), (x - 0.1, foot - 0.1)), 0.03, 0.02, (152, 120, 70)
    )
    rod = curve((x - 0.07, foot - 0.07), (x - 0.2, foot - 0.22), (x - 0.36, foot - 0.22))
    canvas.brush(rod, 0.011, 0.005, (66, 48, 34))
    canvas.line([rod[-1], (x - 0.36, y + 0.03)], 0.003, INK, 0.8)
    canvas.disc(x - 0.36, y + 0.03, 0.009, RED)


def umbrella(canvas: Canvas, rng: np.random.Generator) -> None:
    x, y, robe = (
        rng.uniform(0.66, 0.74),
        GROUND + 0.03,
        ((76, 98, 132), (104, 120, 108), (126, 92, 120))[rng.integers(3)],
    )
    skirt = curve((x - 0.035, y - 0.25), (x - 0.05, y - 0.12), (x - 0.075, y))
    canvas.shape(np.concatenate([skirt, [[x + 0.065, y], [x + 0.05, y - 0.12], [x + 0.035, y - 0.25]]]), robe)
    canvas.line([(x - 0.046, y - 0.155), (x + 0.046, y - 0.155)], 0.014, (198, 176, 142))
    canvas.disc(x, y - 0.285, 0.034, SKIN)
    canvas.disc(x + 0.006, y - 0.3, 0.034, INK)
    canvas.disc(x - 0.01, y - 0.28, 0.026, SKIN)
    canvas.brush(curve((x + 0.02, y - 0.23), (x + 0.01, y - 0.15), (x - 0.055, y - 0.19)), 0.034, 0.024, robe)
    canvas.line([(x - 0.055, y - 0.16), (x - 0.03, y - 0.44)], 0.007, (98, 70, 48))
    rim = curve((x - 0.2, y - 0.31), (x - 0.03, y - 0.36), (x + 0.14, y - 0.31))
    canvas.shape(
        np.concatenate(
            [
                curve((x - 0.2, y - 0.31), (x - 0.14, y - 0.42), (x - 0.03, y - 0.45)),
                curve((x - 0.03, y - 0.45), (x + 0.08, y - 0.42), (x + 0.14, y - 0.31)),
                rim[::-1],
            ]
        ),
        RED,
    )
    for point in rim[1:-1:2]:
        canvas.line([(x - 0.03, y - 0.45), point], 0.004, (138, 30, 28))
    if canvas.snow:
        canvas.shape(
            np.concatenate(
                [curve((x - 0.12, y - 0.42), (x - 0.03, y - 0.48), (x + 0.06, y - 0.42)), [[x - 0.03, y - 0.425]]]
            ),
            WHITE,
        )


# --- birds: between the plant and the upper edge ----------------------------------------------------------------------


def geese(canvas: Canvas, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.6, 0.64), rng.uniform(0.17, 0.2)
    colour = (206, 208, 216) if canvas.night else INK  # moonlit, or it would be lost in the dark sky
    order = np.array([[0, 0], [1, -0.42], [1, 0.42], [2, -0.8], [2, 0.85], [3, -1.2], [3, 1.3]])
    for px, py in [x, y] + order * [0.085, 0.085] + rng.normal(0, 0.006, order.shape):
        canvas.brush([(px - 0.05, py - 0.004), (px - 0.02, py), (px + 0.024, py + 0.004)], 0.006, 0.014, colour)
        lift = rng.uniform(0.026, 0.04)
        for tip, bend in ((-0.01, 0.012), (0.038, 0.02)):
            canvas.brush(curve((px, py), (px + bend, py - lift), (px + tip, py - lift * 1.2)), 0.014, 0.003, colour)


def crane(canvas: Canvas, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.74, 0.78), rng.uniform(0.2, 0.24)
    canvas.line([(x + 0.04, y), (x + 0.17, y + 0.025)], 0.007, INK)
    for tip, shade in (((x + 0.1, y - 0.15), (226, 228, 230)), ((x - 0.02, y - 0.17), WHITE)):
        wing = curve((x - 0.03, y), (x + 0.0, y - 0.1), tip)
        back = curve(tip, (x + 0.09, y - 0.07), (x + 0.06, y + 0.005))
        canvas.shape(np.concatenate([wing, back]), shade)
        canvas.shape([wing[-4], tip, back[4]], INK)
    canvas.shape([x, y] + ring(16) * [0.065, 0.024], WHITE)
    canvas.brush(curve((x - 0.05, y - 0.004), (x - 0.1, y - 0.03), (x - 0.145, y - 0.015)), 0.018, 0.009, WHITE)
    canvas.brush([(x - 0.1, y - 0.02), (x - 0.14, y - 0.016)], 0.012, 0.01, INK)
    canvas.disc(x - 0.148, y - 0.017, 0.01, WHITE)
    canvas.disc(x - 0.148, y - 0.024, 0.006, RED)
    canvas.line([(x - 0.155, y - 0.015), (x - 0.19, y - 0.008)], 0.004, INK)


def swallows(canvas: Canvas, rng: np.random.Generator) -> None:
    colour = (190, 196, 214) if canvas.night else (34, 38, 58)
    for dx, dy, turn in [(0.66, 0.3, -0.5), (0.72, 0.13, 0.3), (0.88, 0.25, -0.2)]:
        x, y, turn = dx + rng.uniform(-0.03, 0.03), dy + rng.uniform(-0.03, 0.03), turn + rng.uniform(-0.2, 0.2)
        at = np.array([[x, y]])
        for wing in (
            np.array([[0.3, 0.02], [0.05, -0.35], [-0.55, -0.85], [-0.15, -0.2], [-0.1, 0.0]]),
            np.array([[0.3, 0.0], [0.1, 0.3], [-0.3, 0.85], [-0.12, 0.2], [-0.1, 0.0]]),
            np.array(
                [
                    [0.5, 0.0],
                    [0.35, -0.1],
                    [-0.3, -0.08],
                    [-1.0, -0.28],
                    [-0.5, 0],
                    [-1.0, 0.22],
                    [-0.3, 0.1],
                    [0.35, 0.1],
                ]
            ),
        ):
            canvas.stamp(wing, at, 0.085, turn, [colour])
        canvas.stamp(DOT * [0.16, 0.1] + [0.3, 0.02], at, 0.085, turn, [(186, 70, 48)])


Drawing = Callable[[Canvas, np.random.Generator], None]
PLANT_DRAWINGS: dict[str, Drawing] = {
    "willow": willow,
    "pine": pine,
    "plum blossom": plum_blossom,
    "lotus": lotus,
    "bamboo": bamboo,
    "maple": maple,
    "reeds": reeds,
    "chrysanthemum": chrysanthemum,
}
THING_DRAWINGS: dict[str, Drawing] = {
    "boat": boat,
    "bridge": bridge,
    "pavilion": pavilion,
    "pagoda": pagoda,
    "lantern": lantern,
    "hut": hut,
    "fisherman": fisherman,
    "umbrella": umbrella,
}
BIRD_DRAWINGS: dict[str, Drawing] = {"geese": geese, "crane": crane, "swallows": swallows}
