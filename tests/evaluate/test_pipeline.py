"""evaluate.pipeline: known figures from a made-up judge and made-up poems; the command on real ones."""

import json

import numpy as np
import pytest

from helpers import __main__ as cli
from helpers.config import ASSETS, load_config
from helpers.evaluate import LABELS, Judge, LabelledPhotos, diversity, evaluate_pipeline, keyword_precision
from helpers.options import WAYS, PoemOptions
from helpers.pipeline import load_pipeline

POEMS = [["一一", "二二"], ["三三", "四四"], ["五五", "六六"]]


class Oracle:
    """Puts picture i and the texts of `places` for it at unit vector i."""

    def __init__(self, places: dict[str, int], dim: int) -> None:
        self.places, self.dim = places, dim

    def encode_images(self, images) -> np.ndarray:
        return np.eye(self.dim)[: len(images)]

    def encode_texts(self, texts) -> np.ndarray:
        return np.eye(self.dim)[[self.places[text] for text in texts]]


@pytest.fixture
def photos(pictures) -> LabelledPhotos:
    return LabelledPhotos(list("abc"), pictures[:3], np.zeros((3, len(LABELS)), dtype=bool))


def judge(photos, *places: int) -> Judge:
    texts = {"，".join(lines): place for lines, place in zip(POEMS, places, strict=True)}
    return Judge(Oracle(texts, 3), photos)


def test_a_judge_that_knows(photos) -> None:
    knows = judge(photos, 0, 1, 2)
    assert knows.recall(POEMS, np.arange(3)) == {1: 100.0, 5: 100.0}
    assert knows.ranks(POEMS).tolist() == [0, 0, 0]


def test_a_judge_that_is_wrong_once(photos) -> None:
    wrong = judge(photos, 0, 1, 0)  # the third poem reminds it of the first picture
    assert wrong.recall(POEMS, np.arange(3))[1] == pytest.approx(200 / 3)
    assert wrong.ranks(POEMS).tolist() == [0, 0, 1]
    assert wrong.recall([POEMS[2]], np.array([0]))[1] == 100.0  # as it would be if that were its owner


def test_keywords_are_precise_where_they_name_what_is_there() -> None:
    truth = np.zeros((2, len(LABELS)), dtype=bool)
    truth[0, LABELS.index("雪")] = truth[1, LABELS.index("船")] = True
    found = keyword_precision([["夜雪", "春风"], ["归帆", "桥"]], truth)
    assert found["labels_named"] == 4  # 夜, 雪, 船, 桥
    assert found["precision"] == 0.5 and found["words_that_name_one"] == 0.75


def test_diversity_of_the_same_and_of_other_poems() -> None:
    same = diversity([POEMS, POEMS])
    assert same["shared_between_seeds"] == 1 and same["different"] == 0
    other = diversity([POEMS, [["七八", "九十"], *POEMS[1:]]])
    assert other["shared_between_seeds"] == pytest.approx(2 / 3) and other["different"] == pytest.approx(1 / 3)


def test_the_model_that_chooses_does_not_judge(photos) -> None:
    pipeline = load_pipeline("mini")
    with pytest.raises(ValueError, match="cannot judge"):
        evaluate_pipeline(pipeline, pipeline.encoder, photos, [PoemOptions()])


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Four of the sample photos as a labelled set."""
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "images").symlink_to(ASSETS / "photos")
    labels = {"autumn_leaves.jpg": ["秋叶"], "lotus.jpg": ["荷花"], "sea_sunrise.jpg": ["海", "夕阳"]}
    names = [path.name for path in sorted((ASSETS / "photos").glob("*.jpg"))][:4]
    photos = [{"file": name, "labels": labels.get(name, [])} for name in names]
    (folder / "labels.json").write_text(json.dumps(photos), encoding="utf-8")
    return folder


def test_the_command(labelled, capsys, tmp_path) -> None:
    command = ["evaluate", "pipeline", "--data", str(labelled), "--n", "2", "--seeds", "2", "--form", "5x4", "--json"]
    assert cli.main([*command, "--gallery", str(tmp_path / "gallery.png")]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["photos"] == 4 and figures["chance"] == {"1": 25.0, "5": 100.0}
    assert tuple(figures["ways"]) == WAYS
    for found in figures["ways"].values():
        assert found["verse"]["exact_form"] == 1 and set(found["recall"]) == {"chosen", "likeliest", "any"}
        assert all(0 <= share <= 100 for share in found["recall"]["chosen"].values()) and len(found["poems"]) == 4
        assert found["recall"]["any"]["1"] % 6.25 == 0  # one of 4 photos times 2 candidates times 2 seeds
    assert (tmp_path / "gallery.png").stat().st_size > 10_000
    assert cli.main(command[:-1] + ["--ways", "keywords"]) == 0
    assert "recall by a model that did not choose" in capsys.readouterr().out


def test_a_folder_without_labels(capsys, tmp_path) -> None:
    assert cli.main(["evaluate", "pipeline", "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: no labels.json in this folder\n"


def test_every_profile_names_a_judge_that_is_not_the_chooser() -> None:
    for profile in ("mini", "full"):
        config = load_config(profile)
        assert config.judge and config.judge != config.image_text_model
