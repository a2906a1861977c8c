"""Poems for many pictures: names, blocks, failures. The models are fakes here."""

import os
import sys
import threading
import weakref
from pathlib import Path

import pytest
from PIL import Image

from helpers.commands import picture_names
from helpers.keywords import ScoredWord
from helpers.options import PoemOptions
from helpers.pipeline import PicturePoem, PoemJob, Row, card_paths, marked_card_path, matches, poem_blocks
from helpers.poems import Poem
from helpers.verse import Line
from tests.samples import HERON_TOWER, FakePipeline, save_photo, ten_photos


@pytest.fixture
def photos(tmp_path) -> list[str]:
    return ten_photos(tmp_path / "photos")


def answer(names: list[str], pipeline: FakePipeline, batch_size: int = 64, **wishes) -> list[dict]:
    blocks = poem_blocks([Row(name) for name in names], PoemJob(batch_size=batch_size, **wishes), lambda: pipeline)
    return [record for block in blocks for record in block]


# --- names ---


def test_folders_and_patterns(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.JPG", "a.png", "sub/c.jpeg", "notes.txt", "lake [1].jpg"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    assert matches(".") == ["./a.png", "./b.JPG", "./lake [1].jpg", "./sub/c.jpeg"]
    assert matches("**/*.jp*g") == ["lake [1].jpg", "sub/c.jpeg"]
    assert matches("lake [1].jpg") == ["lake [1].jpg"]
    assert matches("missing.jpg") == ["missing.jpg"]  # whoever reads it complains


@pytest.mark.skipif(os.name == "nt", reason="links need a right of their own there")
def test_links_lead_to_no_picture_twice(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_photo(Path("photos/a.png"))
    Path("photos/self").symlink_to(".")
    Path("photos/b.png").symlink_to("a.png")
    assert matches("photos") == ["photos/a.png", "photos/b.png"]
    assert picture_names(["photos", "photos/**/*.png", "photos/self/a.png"]) == (["photos/a.png"], 0)


def test_hidden_files_of_a_folder_are_left_out(tmp_path) -> None:
    for name in ("a.png", "._a.png", ".thumbnails/a.png"):
        save_photo(tmp_path / name)
    assert matches(str(tmp_path)) == [str(tmp_path / "a.png")]


def test_cards_have_names_of_their_own(tmp_path) -> None:
    names = ["a/lake.jpg", "b/Lake.png", "a/sea.jpg"]
    cards = card_paths(names, tmp_path)
    assert cards[2] == tmp_path / "sea_poem.png"
    assert len({str(card).casefold() for card in cards}) == 3
    assert card_paths(names[::-1], tmp_path) == cards[::-1]
    assert cards[:2] == [marked_card_path(name, tmp_path) for name in names[:2]]


# --- blocks ---


def test_pictures_are_answered_in_order_and_in_blocks(photos) -> None:
    pipeline = FakePipeline()
    found = answer(photos, pipeline, batch_size=4)
    assert [record["image"] for record in found] == photos
    assert [record["keywords"][0]["word"] for record in found] == [str(30 + i) for i in range(10)]
    assert [len(call) for call in pipeline.calls] == [4, 4, 2]


def test_the_next_block_is_decoded_while_the_model_works(photos, monkeypatch) -> None:
    read, seen = Image.open, {name: threading.Event() for name in photos}
    monkeypatch.setattr(Image, "open", lambda name, **how: (seen[name].set(), read(name, **how))[1])

    class Waiting(FakePipeline):
        def __call__(self, images, **wishes):
            following = 2 * (len(self.calls) + 1)  # blocks of two
            assert all(seen[name].wait(10) for name in photos[following : following + 2])
            return super().__call__(images, **wishes)

    assert len(answer(photos, Waiting(), batch_size=2)) == 10


def test_a_picture_that_the_model_fails_on_stops_no_other(photos) -> None:
    found = answer(photos, FakePipeline(widest=38), batch_size=4)
    assert ["error" in record for record in found] == [False] * 9 + [True]
    assert found[9] == {"image": photos[9], "error": f"{photos[9]}: RuntimeError: out of memory"}


def test_a_block_that_is_too_large_is_done_one_by_one_and_said_so(photos, capsys) -> None:
    found = answer(photos, FakePipeline(most=1), batch_size=5)
    assert all(record["poem"] == list(HERON_TOWER) for record in found)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all("5 pictures" in line and "RuntimeError: out of memory" in line for line in said)


def test_without_cards_a_photo_is_forgotten_when_it_has_its_poem(photos) -> None:
    class Watching(FakePipeline):
        before: tuple[weakref.ref, ...] = ()

        def __call__(self, images, **wishes):
            assert not any(image() for image in self.before)
            self.before = tuple(weakref.ref(image) for image in images)
            return super().__call__(images, **wishes)

    found = answer(photos, Watching(), batch_size=2)
    assert [record.get("error") for record in found] == [None] * 10


@pytest.mark.skipif(sys.platform != "linux", reason="such names cannot be made elsewhere")
def test_a_name_that_is_not_utf8_is_a_failure_of_its_own(photos) -> None:
    name = os.fsdecode(os.fsencode(Path(photos[0]).parent) + b"/1\xff.png")
    Path(photos[0]).rename(name)
    found = answer([name, *photos[1:]], FakePipeline(), batch_size=4)
    assert ["error" in record for record in found] == [True] + [False] * 9
    assert all(text.encode() and "1\\udcff.png" in text for text in found[0].values())


def test_a_request_that_no_picture_can_meet_ends_the_job(photos) -> None:
    pipeline = FakePipeline()
    with pytest.raises(ValueError, match="cannot spell"):
        answer(photos, pipeline, batch_size=5, keywords=("?",))
    assert len(pipeline.calls) == 2


def test_the_line_that_opens_a_poem_is_credited(photos) -> None:
    line = Line(HERON_TOWER[0], "王之涣", "登鹳雀楼")
    continued = Poem(HERON_TOWER, ("日",), -1.0, opening=line)

    def pipeline(images, **wishes) -> list[PicturePoem]:
        return [PicturePoem([ScoredWord("日", 1.0)], ["日"], [continued]) for _ in images]

    (record,) = answer(photos[:1], pipeline, options=PoemOptions(way="lines"))
    assert record["opening"] == {"text": HERON_TOWER[0], "author": "王之涣", "title": "登鹳雀楼"}
