"""pipeline.image_to_poem, candidates, choice with the embedded models: stages, ways, order."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.captioning import VersePrefix, VersePrefixConfig
from helpers.config import ASSETS
from helpers.data import load_image
from helpers.keywords import load_lines
from helpers.options import WAYS, PoemOptions
from helpers.pipeline import ImageToPoem, broken_rules, can_open
from helpers.verse import Line, check_poem

PHOTOS = [ASSETS / "photos" / name for name in ("sea_sunrise.jpg", "lotus.jpg")]


@pytest.fixture(scope="module")
def pipeline() -> ImageToPoem:
    return ImageToPoem()


@pytest.fixture(scope="module")
def image_embeds(pipeline) -> np.ndarray:
    return pipeline.encoder.encode_images([load_image(path) for path in PHOTOS])


@pytest.fixture(scope="module")
def words(pipeline, image_embeds) -> list:
    return pipeline.keywords(image_embeds, 4)


@pytest.mark.parametrize("form", ["5x4", "7x4"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_keeps_the_form(pipeline, image_embeds, words, way, form) -> None:
    results = pipeline.poems(image_embeds, words, PoemOptions(form=form, way=way, n=3))
    assert [len(result.candidates) for result in results] == [3, 3]
    for poem in (poem for result in results for poem in result.candidates):
        found = check_poem(poem.lines)
        assert found["form"] == form and not found["repeats"]


def test_the_call_is_its_stages(pipeline, image_embeds, words) -> None:
    options = PoemOptions(form="5x4", n=3, seed=1)
    images = [load_image(path) for path in PHOTOS]
    by_stages, at_once = pipeline.poems(image_embeds, words, options), pipeline(images, options=options)
    assert [(r.keywords, r.poem.lines) for r in by_stages] == [(r.keywords, r.poem.lines) for r in at_once]


def test_the_plan_orders_the_words(pipeline, image_embeds, words) -> None:
    for result in pipeline.poems(image_embeds, words, PoemOptions(form="5x4", n=1)):
        assert sorted(result.plan) == sorted(scored.word for scored in result.keywords)
        assert result.poem.keywords == tuple(result.plan)


def test_a_keyword_a_line_stands_in_its_line(pipeline, image_embeds, words) -> None:
    results = pipeline.poems(image_embeds, words, PoemOptions(n=2, keyword_per_line=True))
    hits = [word in line for r in results for p in r.candidates for word, line in zip(r.plan, p.lines, strict=True)]
    assert np.mean(hits) > 0.8


def test_candidates_are_in_order_of_rules_then_score(pipeline, image_embeds, words) -> None:
    """By the very score that chose: here it is the order that is tested, not the quality."""
    options = PoemOptions(form="5x4", n=8)
    (result, _) = pipeline.poems(image_embeds, words, options)
    likelihoods = np.array([poem.log_likelihood for poem in result.candidates])
    lines = [poem.lines for poem in result.candidates]
    coherence = pipeline.reader.coherence(lines)[None]
    totals = pipeline.choice.total_scores(image_embeds[:1], lines, likelihoods, coherence)[0]
    broken = [broken_rules(poem.lines, options, poem.keywords[:4]) for poem in result.candidates]
    order = list(zip(broken, -totals, strict=True))
    assert order == sorted(order) and len(set(order)) == 8


def test_a_found_line_opens_the_poem_and_is_named(pipeline, image_embeds, words) -> None:
    known = {line.text: line for line in load_lines()}
    results = pipeline.poems(image_embeds, words, PoemOptions(form="5x4", n=4, way="lines"))
    for poem in (poem for result in results for poem in result.candidates):
        assert poem.lines[0] == poem.opening.text
        assert known[poem.lines[0]] == poem.opening
    assert results[0].poem.opening != results[1].poem.opening


def test_the_nearest_lines_are_taken(pipeline, image_embeds, words) -> None:
    index = pipeline.openings("5x4")
    queries = image_embeds - pipeline.reference_embeds.mean(0)
    best = [{line.text for line, _ in row} for row in index.search(queries, 3)]
    poems = pipeline.candidates(image_embeds, [["山"], ["水"]], PoemOptions(form="5x4", n=3, way="lines"))
    assert [{poem.lines[0] for poem in row} for row in poems] == best


def test_too_few_lines(pipeline, image_embeds, words) -> None:
    with pytest.raises(ValueError, match="lines to begin a poem"):
        pipeline.candidates(image_embeds, [["山"], ["水"]], PoemOptions(n=10_001, way="lines"))


def test_guided_drafts_share_the_lines_that_fitted_best(pipeline, image_embeds, words) -> None:
    """Of eight drafts two go on after each line, so at most two different third lines are left."""
    plans = [[scored.word for scored in row] for row in words]
    for poems in pipeline.candidates(image_embeds, plans, PoemOptions(form="5x4", n=8, way="guided")):
        assert len(poems) == 8 and len({poem.lines[:3] for poem in poems}) <= 2
        assert len({poem.lines for poem in poems}) > 2


def test_guidance_changes_what_is_written(pipeline, image_embeds, words) -> None:
    """The same words, so the same numbers, and two pictures: only the picture can make the difference."""
    same = [["春", "山"], ["春", "山"]]
    (first, second), (third, fourth) = (
        [[poem.lines for poem in row] for row in pipeline.candidates(image_embeds, same, PoemOptions("5x4", way=way))]
        for way in ("keywords", "guided")
    )
    assert first == second and third != fourth


@pytest.mark.parametrize(
    ("text", "suitable"),
    [
        ("白日依山尽", True),
        ("白日依山尽了", False),
        ("白日依白尽", False),
        ("平平平平平", False),
        ("白日依龘尽", False),
    ],
)
def test_lines_to_begin_with(text, suitable) -> None:
    assert can_open(Line(text), 5, {"龘"}) is suitable


@pytest.mark.parametrize(
    "wrong",
    [
        {"form": "9x9"},
        {"n": 0},
        {"n": "2"},
        {"seed": -1},
        {"seed": None},
        {"seed": 2**63},
        {"way": "magic"},
        {"way": "lines", "acrostic": "春"},
        {"acrostic": "春江花月夜"},
    ],
)
def test_wishes_that_cannot_be_met(wrong) -> None:
    with pytest.raises(ValueError):
        PoemOptions(**wrong)


def test_openings_must_fit(pipeline) -> None:
    for openings in (["白日依山尽"], ["白日依山尽", "黄河"]):
        with pytest.raises(ValueError, match="opening"):
            pipeline.writer.write_batch([["山"], ["水"]], PoemOptions("5x4", n=1), openings=openings)


def test_the_caption_gives_the_words_and_the_picture_says_how_true_they_are(pipeline, image_embeds) -> None:
    images = [load_image(path) for path in PHOTOS]
    results = pipeline(images, options=PoemOptions(form="5x4", n=1, way="caption"))
    assert [result.caption for result in results] == pipeline.captions(image_embeds)
    assert "花" in results[1].caption  # of the lotus
    for result, truths in zip(results, pipeline.ranker.probabilities(image_embeds), strict=True):
        assert len(result.keywords) == 4
        known = [word for word in result.keywords if word.word in pipeline.ranker.index]
        assert known and all(w.probability == pytest.approx(truths[pipeline.ranker.index[w.word]]) for w in known)
    swapped = pipeline.caption_keywords(image_embeds, [results[1].caption, results[0].caption], 4)
    for row, result in zip(swapped, reversed(results), strict=True):
        words = [scored.word for scored in row]
        assert words == [scored.word for scored in result.keywords]  # the caption alone decides
    with pytest.raises(ValueError, match="give no keywords"):
        pipeline(images, keywords=["春"], options=PoemOptions(way="caption"))


def test_with_the_picture_in_sight_the_same_words_become_another_poem(pipeline, image_embeds) -> None:
    words = pipeline.rank(image_embeds, ["山", "水", "风", "月"])
    options = PoemOptions(form="5x4", n=2, way="picture")
    seen = pipeline.poems(image_embeds, words, options)
    told = pipeline.poems(image_embeds, words, PoemOptions(form="5x4", n=2))
    swapped = pipeline.poems(image_embeds[::-1], words, options)
    for one, other, third in zip(seen, told, swapped, strict=True):
        assert len({result.poem.lines for result in (one, other, third)}) == 3
    assert "picture" in pipeline.ways


def test_a_prefix_belongs_to_its_models(pipeline, tmp_path) -> None:
    other = ImageToPoem(replace(pipeline.config, verse_prefix=str(tmp_path / "none")))
    assert "picture" not in other.ways
    with pytest.raises(ValueError, match="none: the way picture"):
        _ = other.verse_prefix
    VersePrefix(VersePrefixConfig(512, 64, 1)).save_pretrained(tmp_path / "narrow")
    other = ImageToPoem(replace(pipeline.config, verse_prefix=str(tmp_path / "narrow")))
    with pytest.raises(ValueError, match="leads from 512 numbers to 64"):
        _ = other.verse_prefix


def test_empty_keywords_are_refused(pipeline) -> None:
    for keywords in ([], ["春", ""], [" "]):
        with pytest.raises(ValueError, match="keyword"):
            pipeline([load_image(PHOTOS[0])], keywords=keywords)
