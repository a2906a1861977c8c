"""The pictures of the drawn scenes, judged by their pixels."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.drawn import (
    BIRD_DRAWINGS,
    BIRDS,
    FALLING,
    LIGHTS,
    PLANT_DRAWINGS,
    PLANTS,
    THING_DRAWINGS,
    THINGS,
    Scene,
    paint,
    sample_scenes,
)

SCENE = Scene("day", "clear", "sun", "mountains", "lake", "pine", "pavilion", "geese", seed=6)
OTHERS = {
    "light": "dusk",
    "weather": "mist",
    "body": "",
    "land": "cliff",
    "water": "river",
    "plant": "willow",
    "thing": "hut",
    "bird": "crane",
    "seed": 8,
}


def pixels(scene, size=64):
    return np.asarray(paint(scene, size)).astype(np.int16)


@pytest.mark.parametrize("size", [32, 49, 96, 128, 500])
def test_any_size(size):
    picture = paint(SCENE, size)
    assert picture.size == (size, size) and picture.mode == "RGB"


def test_a_size_below_one_pixel_is_refused():
    with pytest.raises(ValueError, match="at least one pixel"):
        paint(SCENE, 0)


def test_there_is_no_sun_at_night():
    with pytest.raises(ValueError, match="no sun at night"):
        paint(replace(SCENE, light="night"))


def test_a_scene_is_always_the_same_picture():
    assert paint(SCENE, 64).tobytes() == paint(replace(SCENE), 64).tobytes()


@pytest.mark.parametrize("scene", sample_scenes("train", 12, seed=1))
def test_a_scene_is_the_same_picture_at_every_size(scene):
    large = np.asarray(paint(scene, 256).reduce(4)).astype(np.int16)
    assert np.abs(large - pixels(scene, 64)).mean() < 4


@pytest.mark.parametrize("name", OTHERS)
def test_every_field_is_seen(name):
    changed = np.abs(pixels(SCENE) - pixels(replace(SCENE, **{name: OTHERS[name]}))).max(axis=2) > 24
    assert changed.mean() > 0.008


def test_another_bird_leaves_the_ground_as_it_is():
    assert (pixels(SCENE)[40:] == pixels(replace(SCENE, bird="swallows"))[40:]).all()


def test_even_and_odd_seeds_face_each_other():
    """Plant on one side or the other, so that a place in the picture means nothing."""
    dark = [(pixels(replace(SCENE, plant="bamboo", seed=seed))[20:44, :20]).mean() for seed in (6, 7)]
    assert dark[0] < dark[1]


def test_nights_are_dark_and_days_light():
    scene = replace(SCENE, weather="rain", body="")
    brightness = {light: pixels(replace(scene, light=light)).mean() for light in LIGHTS}
    assert brightness["night"] + 40 < brightness["dusk"] < brightness["day"] - 10
    assert len({round(value / 3) for value in brightness.values()}) == len(LIGHTS)


def test_dusk_is_warmer_than_day():
    warmth = {light: (pixels(replace(SCENE, light=light, body="")) @ [1, 0, -1]).mean() for light in LIGHTS}
    assert warmth["dusk"] > warmth["dawn"] > warmth["night"] and warmth["dusk"] > warmth["day"] + 30


def test_snow_whitens_the_ground():
    meadow = replace(SCENE, water="", body="", bird="")
    ground = {weather: pixels(replace(meadow, weather=weather))[45:].min(axis=2).mean() for weather in ("rain", "snow")}
    assert ground["snow"] > ground["rain"] + 40
    assert set(FALLING) == {"rain", "snow"}


def test_windows_are_lit_at_night():
    night = replace(SCENE, light="night", body="full moon", thing="hut", water="")
    warm = pixels(night, 128) @ [1, 0, -1] > 90
    assert warm[64:, 64:].sum() > 20


@pytest.mark.parametrize("field, drawings", [("plant", PLANT_DRAWINGS), ("thing", THING_DRAWINGS)])
def test_plants_and_things_are_large_and_differ(field, drawings):
    """Against one another, a quarter of the picture's width changes at least."""
    names = list(drawings)
    pictures = [pixels(replace(SCENE, water="lake", **{field: name})) for name in names]
    for first in range(len(names)):
        for second in range(first):
            changed = np.abs(pictures[first] - pictures[second]).max(axis=2) > 30
            assert changed.any(axis=0).mean() > 0.25 and changed.mean() > 0.02, (names[first], names[second])


def test_everything_in_the_vocabulary_can_be_drawn():
    assert tuple(PLANT_DRAWINGS) == PLANTS and tuple(THING_DRAWINGS) == THINGS
    assert (*BIRD_DRAWINGS, "") == BIRDS
