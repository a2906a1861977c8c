"""evaluate.labelled_photos: labels.json, and which labels a poetic word names."""

import json

import pytest

from helpers.data import ImageError
from helpers.evaluate import LABELS, named_labels, read_labelled_photos


@pytest.fixture
def folder(tmp_path, pictures):
    (tmp_path / "images").mkdir()
    for name, picture in zip("ab", pictures, strict=False):
        picture.save(tmp_path / "images" / f"{name}.png")
    photos = [{"file": "b.png", "labels": ["海", "夕阳"]}, {"file": "a.png", "labels": ["猫"]}]
    (tmp_path / "labels.json").write_text(json.dumps(photos), encoding="utf-8")
    return tmp_path


def test_pictures_and_truth_are_in_the_order_of_the_file(folder, pictures) -> None:
    photos = read_labelled_photos(folder)
    assert photos.names == ["b.png", "a.png"] and photos.images[0].size == pictures[1].size
    assert photos.truth.shape == (2, 24)
    assert [LABELS[i] for i in photos.truth[0].nonzero()[0]] == ["海", "夕阳"]


@pytest.mark.parametrize("text", ["no json", "{}", '[{"file": "a.png"}]', "[1]", "[]"])
def test_a_file_that_is_none(folder, text) -> None:
    (folder / "labels.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="labels.json"):
        read_labelled_photos(folder)


@pytest.mark.parametrize("labels", ['"山海"', '["mountain"]', "[[]]"])
def test_labels_that_are_none(folder, labels) -> None:
    (folder / "labels.json").write_text(f'[{{"file": "a.png", "labels": {labels}}}]', encoding="utf-8")
    with pytest.raises(ValueError, match="labels.json"):
        read_labelled_photos(folder)


def test_no_file_at_all(tmp_path) -> None:
    with pytest.raises(ValueError, match="no labels.json"):
        read_labelled_photos(tmp_path)


def test_a_picture_is_missing(folder) -> None:
    (folder / "images" / "a.png").unlink()
    with pytest.raises(ImageError, match="a.png"):
        read_labelled_photos(folder)


@pytest.mark.parametrize(
    ("word", "labels"),
    [
        ("夜雪", {"夜", "雪"}), ("归帆", {"船"}), ("荷塘", {"花", "荷花"}), ("红叶", {"秋叶"}), ("春风", set()),
        ("海棠", {"花"}), ("瀚海", {"沙漠"}), ("人家", set()), ("雪花", {"雪"}), ("夕阳山", {"夕阳", "山"}),
    ],
)  # fmt: skip
def test_what_a_word_names(word, labels) -> None:
    assert named_labels(word) == labels


def test_every_label_names_itself() -> None:
    assert all(label in named_labels(label) for label in LABELS)
