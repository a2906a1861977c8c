"""data.open_clip_csv and its reader: what is written is read again, and open_clip itself reads it."""

import numpy as np
import pandas as pd
import pytest

from helpers.data import load_captions, read_open_clip_csv, write_open_clip_csv


@pytest.fixture
def squares(squares_folder):
    return load_captions(squares_folder, "train", squares_folder / "splits.csv")


def test_there_and_back(squares, tmp_path) -> None:
    path = tmp_path / "train.csv"
    assert write_open_clip_csv(squares, "en", path) == sum(map(len, squares.captions))
    table = pd.read_csv(path, sep="\t")  # as open_clip reads it
    assert list(table) == ["filepath", "title"] and table.title[0] == squares.captions[0][0]
    titles = read_open_clip_csv(path)
    assert titles.captions == [list(group) for group in squares.captions]
    (tmp_path / "splits.csv").write_text("filename,split\n" + "".join(f"{p.name},train\n" for p in titles.paths))
    again = load_captions(path, "train", tmp_path / "splits.csv")
    assert again.captions == titles.captions and len(again) == len(squares)
    difference = np.abs(np.asarray(again.pictures[1], float) - np.asarray(squares.pictures[1], float))
    assert difference.mean() < 8  # JPEG


def test_tabs_and_line_breaks_in_captions(squares, tmp_path) -> None:
    from dataclasses import replace

    odd = replace(squares.first(1), captions=[['two\tdogs\n"run"', "a cat"]])
    write_open_clip_csv(odd, "en", tmp_path / "odd.csv")
    assert read_open_clip_csv(tmp_path / "odd.csv").captions == [['two dogs "run"', "a cat"]]


def test_pictures_that_are_there_stay(squares, tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "000000.jpg").write_text("a photo of mine")
    for name, message in (("mine.csv", "there already"), ("train", "must end in .csv")):
        with pytest.raises(ValueError, match=message):
            write_open_clip_csv(squares, "en", tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "000000.jpg"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column filepath, title"),
        ("filepath,title\na.jpg,dog\n", "no column filepath, title, with tabs"),
        ("filepath\ttitle\n", "not one row"),
        ("filepath\ttitle\nno.jpg\tdog\n", "1 of its 1 pictures are not there"),
    ],
)
def test_what_is_no_such_csv(text, message, tmp_path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        load_captions(path, "train")
    assert "\n" not in str(error.value)
    path.write_bytes(b"filepath\ttitle\n\xff\xfe\t\xff\n")
    with pytest.raises(ValueError, match="UTF-8"):
        read_open_clip_csv(path)
