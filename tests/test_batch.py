"""Poems for many pictures: names, blocks, failures, the file that is resumed. The models are fakes here."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers import __main__ as cli
from helpers import batch, picture_commands
from helpers.batch import PoemJob, Row, poem_blocks
from helpers.picture_paths import card_paths, matches
from helpers.pipeline import PicturePoem, ScoredWord
from helpers.poem_file import PoemFile
from helpers.poem_options import PoemOptions
from helpers.poem_t5 import Poem

LINES = ("白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼")


class FakePipeline:
    """One poem for all, its keyword the width of the picture; wide pictures, or many, are too much for it."""

    def __init__(self, widest: int = 10_000, most: int = 10_000) -> None:
        self.widest, self.most = widest, most
        self.calls: list[list[int]] = []

    def __call__(self, images, *, keywords=None, options=None) -> list[PicturePoem]:
        widths = [image.width for image in images]
        self.calls.append(widths)
        self.options = options
        if keywords == ["?"]:
            raise ValueError("cannot spell ?")
        if len(images) > self.most or max(widths) > self.widest:
            raise RuntimeError("out of\nmemory")
        words = [[ScoredWord(keywords[0] if keywords else str(width), 1.0)] for width in widths]
        return [PicturePoem(row, [row[0].word], [Poem(LINES, (row[0].word,), -1.0)]) for row in words]


def save_photo(path: Path, width: int = 32) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(width).integers(0, 256, (24, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def photos(tmp_path) -> list[str]:
    """Ten, in the order of their names, each a pixel wider than the one before."""
    return [str(save_photo(tmp_path / "photos" / f"{i}.png", 30 + i)) for i in range(10)]


@pytest.fixture
def pipeline(monkeypatch) -> FakePipeline:
    fake = FakePipeline()
    monkeypatch.setattr(picture_commands, "load_pipeline", lambda profile: fake)
    return fake


@pytest.fixture
def run(pipeline, tmp_path, capsys):
    """`python -m helpers poem ...` into poems.jsonl: the status, and what stands on stderr in lines of its own."""

    def call(*arguments: object) -> tuple[int, list[str]]:
        status = cli.main(["poem", *map(str, arguments), "--out", str(tmp_path / "poems.jsonl")])
        out, err = capsys.readouterr()
        assert out == ""
        return status, [line for line in err.replace("\r", "\n").splitlines() if line.startswith("error: ")]

    return call


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def images(path: Path) -> list[str]:
    return [record["image"] for record in records(path)]


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


def test_no_picture_is_answered_twice_and_a_pattern_without_any_stops_nothing(run, photos, tmp_path) -> None:
    folder = tmp_path / "photos"
    status, errors = run(photos[3], folder / "*.tif", folder, folder / ".." / "photos" / "*.png")
    assert status == 2 and len(errors) == 1 and "*.tif: no picture matches" in errors[0]
    assert images(tmp_path / "poems.jsonl") == [photos[3], *photos[:3], *photos[4:]]


def test_cards_have_names_that_last(tmp_path) -> None:
    names = ["a/lake.jpg", "b/Lake.png", "a/sea.jpg"]
    cards = card_paths(names, tmp_path)
    assert cards[2] == tmp_path / "sea_poem.png"
    assert len({str(card).casefold() for card in cards}) == 3
    assert card_paths(names[1:], tmp_path, others=names[:1]) == cards[1:]
    assert card_paths(names[::-1], tmp_path) == cards[::-1]


# --- blocks ---


def test_pictures_are_answered_in_order_and_in_blocks(photos) -> None:
    pipeline = FakePipeline()
    found = answer(photos, pipeline, batch_size=4)
    assert [record["image"] for record in found] == photos
    assert [record["keywords"][0]["word"] for record in found] == [str(30 + i) for i in range(10)]
    assert [len(call) for call in pipeline.calls] == [4, 4, 2]


def test_the_next_block_is_decoded_while_the_model_works(photos, monkeypatch) -> None:
    decode, seen = batch.decode, {name: threading.Event() for name in photos}
    monkeypatch.setattr(batch, "decode", lambda row: (seen[row.name].set(), decode(row))[1])

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


def test_a_block_that_is_too_large_is_done_one_by_one(photos) -> None:
    found = answer(photos, FakePipeline(most=1), batch_size=5)
    assert all(record["poem"] == list(LINES) for record in found)


def test_a_request_that_no_picture_can_meet_ends_the_job(photos) -> None:
    pipeline = FakePipeline()
    with pytest.raises(ValueError, match="cannot spell"):
        answer(photos, pipeline, batch_size=5, keywords=["?"])
    assert len(pipeline.calls) == 2


def test_the_line_that_opens_a_poem_is_credited(photos) -> None:
    from helpers.lines import Line
    from helpers.ways import ContinuedPoem

    line = Line(LINES[0], "王之涣", "登鹳雀楼")
    continued = ContinuedPoem(LINES, ("日",), -1.0, opening=line)

    def pipeline(images, **wishes) -> list[PicturePoem]:
        return [PicturePoem([ScoredWord("日", 1.0)], ["日"], [continued]) for _ in images]

    (record,) = answer(photos[:1], pipeline, options=PoemOptions(way="lines"))
    assert record["opening"] == {"text": LINES[0], "author": "王之涣", "title": "登鹳雀楼"}


def test_all_wishes_reach_the_pipeline(run, photos, pipeline) -> None:
    wishes = "--form 5x4 --n 3 --seed 7 --no-rhyme --no-tone --no-keyword-per-line --acrostic 春夏秋冬 --way guided"
    assert run(photos[0], *wishes.split()) == (0, [])
    assert pipeline.options == PoemOptions("5x4", 3, 7, False, False, False, "春夏秋冬", "guided")


# --- the file ---


def test_a_second_run_does_only_what_is_missing(run, photos, pipeline, tmp_path) -> None:
    assert run(*photos[:6], "--batch-size", 4) == (0, [])
    before = (tmp_path / "poems.jsonl").read_bytes()
    assert run(tmp_path / "photos", "--batch-size", 3) == (0, [])
    assert (tmp_path / "poems.jsonl").read_bytes().startswith(before)
    assert images(tmp_path / "poems.jsonl") == photos
    assert sum(pipeline.calls, []) == [30 + i for i in range(10)]
    assert run(tmp_path / "photos") == (0, []) and len(images(tmp_path / "poems.jsonl")) == 10


def test_a_torn_last_line_is_done_again(run, photos, tmp_path) -> None:
    run(*photos, "--batch-size", 4)
    path = tmp_path / "poems.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    assert run(*photos) == (0, [])
    assert path.read_bytes() == whole


def test_a_name_is_the_same_however_it_is_written(run, photos, pipeline, tmp_path, monkeypatch) -> None:
    run(*photos)
    monkeypatch.chdir(tmp_path)
    assert run("photos/*.png", "./photos", Path("photos") / ".." / "photos" / "3.png") == (0, [])
    assert len(pipeline.calls) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["--seed", 1], "seed"),
        (["--n", 2, "--form", "5x4"], "form, n"),
        (["--keywords", "春"], "keywords"),
        (["--cards", "cards"], "cards"),
        (["--layout", "fan", "--theme", "dark"], "layout, theme"),
        (["--no-tone"], "tone"),
        (["--way", "guided"], "way"),
    ],
)
def test_other_settings_are_refused(run, photos, tmp_path, change, named: str) -> None:
    run(*photos[:2])
    before = (tmp_path / "poems.jsonl").read_bytes()
    status, errors = run(*photos, *change)
    assert status == 2 and len(errors) == 1 and errors[0].endswith(f"had another {named}")
    assert (tmp_path / "poems.jsonl").read_bytes() == before


def test_another_model_is_refused(tmp_path, monkeypatch) -> None:
    from helpers import config

    (tmp_path / "model").mkdir()
    weights = tmp_path / "model" / "model.safetensors"
    monkeypatch.setitem(config.PROFILES, "mini", config.load_config("mini", poem_model=str(tmp_path / "model")))
    found = []
    for content in (b"one", b"one", b"two"):
        weights.write_bytes(content)
        found.append(PoemJob().settings()["poem_model"])
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("content", [b"my notes", b"my notes\n", b'{"image": "a.jpg"}\n'])
def test_a_file_that_is_not_ours_is_left_alone(run, photos, tmp_path, content: bytes) -> None:
    path = tmp_path / "poems.jsonl"
    path.write_bytes(content)
    status, errors = run(*photos)
    assert status == 2 and len(errors) == 1 and str(path) in errors[0]
    assert path.read_bytes() == content


@pytest.mark.skipif(os.name == "nt", reason="nothing is locked there")
def test_two_processes_do_not_write_one_file(run, photos, tmp_path) -> None:
    with PoemFile(tmp_path / "poems.jsonl", {}):
        status, errors = run(*photos)
    assert status == 2 and len(errors) == 1 and "another process is writing to it" in errors[0]


def test_failures_are_listed_and_tried_again(run, photos, pipeline, tmp_path) -> None:
    Path(photos[1]).write_text("no picture", encoding="utf-8")
    pipeline.widest = 38
    status, errors = run(*photos, tmp_path / "gone.png", "--batch-size", 4)
    bad = [photos[1], photos[9], str(tmp_path / "gone.png")]
    assert status == 2 and len(errors) == 3 and all(name in error for name, error in zip(bad, errors, strict=True))
    listed = records(tmp_path / "poems.jsonl.run" / "failed.jsonl")
    assert [record["image"] for record in listed] == bad
    assert images(tmp_path / "poems.jsonl") == [name for name in photos if name not in bad]
    save_photo(Path(photos[1]))
    pipeline.widest = 1000
    assert run(*photos) == (0, [])
    assert sorted(images(tmp_path / "poems.jsonl")) == photos
    assert records(tmp_path / "poems.jsonl.run" / "failed.jsonl") == []


# --- cards ---


def test_a_record_means_that_the_card_is_there(run, photos, tmp_path, monkeypatch) -> None:
    seen, add = [], PoemFile.add

    def look(file, block) -> None:
        seen.extend(Path(record["card"]).is_file() for record in block)
        add(file, block)

    monkeypatch.setattr(PoemFile, "add", look)
    assert run(*photos[:3], "--cards", tmp_path / "cards", "--batch-size", 2) == (0, [])
    assert seen == [True] * 3
    for record in records(tmp_path / "poems.jsonl"):
        with Image.open(record["card"]) as card:
            assert card.format == "PNG" and 1200 in card.size
    assert len(list((tmp_path / "cards").iterdir())) == 3


def test_a_card_that_cannot_be_written_is_a_failure(run, photos, tmp_path) -> None:
    (tmp_path / "cards" / "1_poem.png").mkdir(parents=True)
    status, errors = run(*photos[:3], "--cards", tmp_path / "cards")
    assert status == 2 and len(errors) == 1 and "1_poem.png" in errors[0]
    assert images(tmp_path / "poems.jsonl") == [photos[0], photos[2]]


def test_one_name_in_two_folders_over_two_runs(run, tmp_path) -> None:
    names = [save_photo(tmp_path / folder / "photo.png") for folder in ("a", "b")]
    for name in names:
        assert run(name, "--cards", tmp_path / "cards") == (0, [])
    cards = [record["card"] for record in records(tmp_path / "poems.jsonl")]
    assert len(set(cards)) == 2 and all(Path(card).is_file() for card in cards)
