"""The results of a batch: the file that is resumed, what is refused, failures, cards. The models are fakes here."""

import json
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from helpers import __main__ as cli
from helpers.options import PoemOptions
from helpers.pipeline import PoemFile, PoemJob, Row, marked_card_path, poem_blocks
from tests.samples import FakePipeline, save_photo, ten_photos


@pytest.fixture
def photos(tmp_path) -> list[str]:
    return ten_photos(tmp_path / "photos")


@pytest.fixture
def pipeline() -> FakePipeline:
    return FakePipeline()


@pytest.fixture
def run(pipeline, tmp_path, capsys):
    """`python -m helpers poem ...` into poems.jsonl: the status, and what stands on stderr in lines of its own."""

    def call(*arguments: object) -> tuple[int, list[str]]:
        command = ["poem", *map(str, arguments), "--out", str(tmp_path / "poems.jsonl")]
        status = cli.main(command, load=lambda profile: pipeline)
        out, err = capsys.readouterr()
        assert out == ""
        return status, [line for line in err.replace("\r", "\n").splitlines() if line.startswith("error: ")]

    return call


def records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def images(path: Path) -> list[str]:
    return [record["image"] for record in records(path)]


def test_no_picture_is_answered_twice_and_a_pattern_without_any_stops_nothing(run, photos, tmp_path) -> None:
    folder = tmp_path / "photos"
    status, errors = run(photos[3], folder / "*.tif", folder, folder / ".." / "photos" / "*.png")
    assert status == 2 and len(errors) == 1 and "*.tif: no picture matches" in errors[0]
    assert images(tmp_path / "poems.jsonl") == [photos[3], *photos[:3], *photos[4:]]


def test_all_wishes_reach_the_pipeline(run, photos, pipeline) -> None:
    wishes = "--form 5x4 --n 3 --seed 7 --no-rhyme --no-tone --no-keyword-per-line --acrostic 春夏秋冬 --way guided"
    assert run(photos[0], *wishes.split()) == (0, [])
    assert pipeline.options == PoemOptions("5x4", 3, 7, False, False, False, "春夏秋冬", "guided")


@pytest.mark.parametrize("text", ["春,雨", "春，雨", "春 雨", "春、雨", " 春,,雨,春 "])
def test_keywords_may_be_separated_in_any_way(run, photos, pipeline, text: str) -> None:
    assert run(photos[0], "--keywords", text) == (0, []) and pipeline.keywords == ("春", "雨")


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
    monkeypatch.chdir(tmp_path)
    run(*photos)
    assert run("photos/*.png", "./photos", Path("photos") / ".." / "photos" / "3.png") == (0, [])
    assert len(pipeline.calls) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["--seed", 1], "seed"),
        (["--n", 2, "--form", "5x4"], "form, n"),
        (["--keywords", "春"], "keywords"),
        (["--cards", "cards"], "cards, layout, theme"),
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


def test_another_folder_is_refused(run, photos, tmp_path, monkeypatch) -> None:
    """There photos/3.png is another picture: it would be taken for done, and this one would be done again."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run("photos") == (0, [])
    monkeypatch.chdir("elsewhere")
    status, (error,) = run(*photos)
    assert status == 2 and error.endswith("had another working folder")
    monkeypatch.chdir(tmp_path)
    assert run("photos") == (0, [])


def test_the_look_of_the_cards_counts_only_where_there_are_any(run, photos, tmp_path) -> None:
    assert run(*photos[:2]) == (0, [])
    assert run(*photos, "--layout", "fan") == (0, [])
    (tmp_path / "poems.jsonl").unlink()
    cards = ("--cards", tmp_path / "cards")
    assert run(photos[0], *cards) == (0, [])
    status, (error,) = run(*photos, *cards, "--layout", "fan", "--theme", "dark")
    assert status == 2 and error.endswith("had another layout, theme")


@pytest.mark.parametrize(
    "table", ["keyword.txt", "image_text/keywords.safetensors", "lines/lines.tsv", "poems/poems_train.json"]
)
def test_other_words_or_lines_are_other_settings(tmp_path, table: str) -> None:
    path = tmp_path / table
    path.parent.mkdir(exist_ok=True)
    found = []
    for content in ("one", "one", "two"):
        path.write_text(content, encoding="utf-8")
        found.append(PoemJob().settings(assets=tmp_path))
    assert found[0] == found[1] != found[2]


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


@pytest.mark.skipif(sys.platform != "linux", reason="such names cannot be made elsewhere")
def test_a_name_that_is_not_utf8_stops_nothing(run, photos, tmp_path) -> None:
    Path(photos[0]).rename(os.fsdecode(os.fsencode(tmp_path) + b"/photos/1\xff.png"))
    status, errors = run(tmp_path / "photos")
    assert status == 2 and len(errors) == 1 and "1\\udcff.png" in errors[0]
    assert images(tmp_path / "poems.jsonl") == photos[1:]
    (failed,) = records(tmp_path / "poems.jsonl.run" / "failed.jsonl")
    assert failed["image"].endswith("1\\udcff.png")


# --- cards ---


def test_a_record_means_that_the_card_is_there(run, photos, pipeline, tmp_path) -> None:
    rows = [Row(name, tmp_path / f"{number}.png") for number, name in enumerate(photos[:3])]
    for block in poem_blocks(rows, PoemJob(batch_size=2), lambda: pipeline):
        assert all(Path(record["card"]).is_file() for record in block)
    assert run(*photos[:3], "--cards", tmp_path / "cards", "--batch-size", 2) == (0, [])
    for record in records(tmp_path / "poems.jsonl"):
        with Image.open(record["card"]) as card:
            assert card.format == "PNG" and 1200 in card.size
    assert len(list((tmp_path / "cards").iterdir())) == 3


def test_a_card_that_cannot_be_written_is_a_failure(run, photos, tmp_path) -> None:
    card = marked_card_path(photos[1], tmp_path / "cards")
    card.mkdir(parents=True)
    status, errors = run(*photos[:3], "--cards", tmp_path / "cards")
    assert status == 2 and len(errors) == 1 and card.name in errors[0]
    assert images(tmp_path / "poems.jsonl") == [photos[0], photos[2]]


def test_runs_that_share_a_folder_for_cards_overwrite_none(run, tmp_path) -> None:
    """As two shards do, each with pictures of which the other knows nothing."""
    cards = []
    for folder in ("a", "b"):
        assert run(save_photo(tmp_path / folder / "photo.png"), "--cards", tmp_path / "cards") == (0, [])
        cards += [record["card"] for record in records(tmp_path / "poems.jsonl")]
        (tmp_path / "poems.jsonl").unlink()
    assert len(set(cards)) == 2 and all(Path(card).is_file() for card in cards)
