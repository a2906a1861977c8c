"""keywords.zero_shot: classes from sentences, against a loop, and what is refused."""

import numpy as np
import pytest

from helpers.keywords import accuracy, class_embeds, predict

SPACE = {
    "red": [1.0, 0, 0],
    "a red thing": [0.6, 0.8, 0],
    "blue": [0, 0, 1.0],
    "a blue thing": [0, 0.8, 0.6],
}


def encode(texts: list[str]) -> np.ndarray:
    return np.array([SPACE[text] for text in texts])


def test_a_class_is_the_unit_mean_over_its_templates() -> None:
    got = class_embeds(["red", "blue"], ["{}", "a {} thing"], encode)
    for name, row in zip(("red", "blue"), got, strict=True):
        mean = (np.array(SPACE[name]) + SPACE[f"a {name} thing"]) / 2
        assert row == pytest.approx(mean / np.linalg.norm(mean))
    assert np.linalg.norm(got, axis=1) == pytest.approx([1, 1])


def test_the_bare_word_is_a_template_too() -> None:
    assert class_embeds(["blue", "red"], ["{}"], encode).tolist() == encode(["blue", "red"]).tolist()


def test_all_sentences_are_encoded_in_one_call() -> None:
    calls = []
    class_embeds(["red", "blue"], ["{}", "a {} thing"], lambda texts: calls.append(texts) or encode(texts))
    assert calls == [["red", "a red thing", "blue", "a blue thing"]]


def test_the_nearest_class_wins() -> None:
    classes = class_embeds(["red", "blue"], ["{}"], encode)
    images = np.array([[0.9, 0.1, 0.2], [0.1, 0.1, 0.9], [0.3, 0, 0.4]])
    assert predict(images, classes).tolist() == [0, 1, 1]
    assert accuracy(images, classes, np.array([0, 1, 0])) == pytest.approx(200 / 3)


@pytest.mark.parametrize(
    ("names", "templates", "words"),
    [([], ["{}"], "at least one"), (["red"], [], "at least one"), (["red"], ["{}", "a thing"], "'a thing'")],
)
def test_what_makes_no_classes_is_refused(names: list[str], templates: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        class_embeds(names, templates, encode)
