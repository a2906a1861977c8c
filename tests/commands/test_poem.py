"""python -m helpers, with the embedded models: what is printed, where, and with which exit status.

What the models write is not judged here, only its form: they are trained again from time to time. Three tests start a
process as a reader would; the others call `main` and share one pipeline.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from helpers import __main__ as cli
from helpers.config import ASSETS
from helpers.pipeline import load_pipeline
from helpers.verse import check_poem, reported
from tests.samples import png_header

ROOT = Path(__file__).parents[2]
LOTUS, LAKE = (str(ASSETS / "photos" / f"{name}.jpg") for name in ("lotus", "snow_lake"))


class Result(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def records(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(shared_cache, monkeypatch) -> Path:
    """One for all tests here: 2,000 keywords take a second or two."""
    monkeypatch.setenv("IMAGE_TO_POEM_CACHE", str(shared_cache))
    return shared_cache


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline("mini")


@pytest.fixture
def run(pipeline, capsys):
    """`main` in this process."""

    def call(*arguments: object) -> Result:
        status = cli.main([*map(str, arguments)], load=lambda profile: pipeline)
        return Result(status, *capsys.readouterr())

    return call


def start(*arguments: object) -> Result:
    """`python -m helpers` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "helpers", *map(str, arguments)],
        cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "utf-8"}, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    return Result(done.returncode, done.stdout, done.stderr)


def assert_complaints(result: Result, *mentions: str) -> None:
    """One line for each problem, in order, and nothing else on stderr."""
    lines = result.err.splitlines()
    assert result.status == 2 and len(lines) == len(mentions), result.err
    assert all(line.startswith("error: ") and text in line for line, text in zip(lines, mentions, strict=True)), lines


def make(folder: Path, kind: str) -> Path:
    """A file that cannot be answered."""
    path = folder / f"{kind}.jpg"
    if kind == "text":
        path.write_text("not a picture", encoding="utf-8")
    elif kind == "truncated":
        path.write_bytes(Path(LOTUS).read_bytes()[:9000])
    elif kind == "1x1":
        Image.new("RGB", (1, 1)).save(path)
    elif kind == "bomb":
        png_header(path, 40_000, 40_000)
    elif kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    return path  # "missing" stays missing


# --- as a reader starts it ---


def test_a_reader_asks_for_poems_and_cards(tmp_path) -> None:
    bad = make(tmp_path, "truncated")
    result = start("poem", LOTUS, bad, LAKE, "--n", 2, "--card", tmp_path / "new" / "cards")
    assert_complaints(result, "truncated.jpg")
    assert result.out.index(LOTUS) < result.out.index(LAKE) and str(bad) not in result.out
    verses = [line for line in result.out.splitlines() if line.endswith("。")]
    assert [len(line) for line in verses] == [16] * 4  # two lines of seven with their punctuation, twice for each
    for name in ("lotus", "snow_lake"):
        path = tmp_path / "new" / "cards" / f"{name}_poem.png"
        assert f"card: {path}" in result.out
        with Image.open(path) as card:
            assert card.format == "PNG" and card.mode == "RGB" and 1200 in card.size


def test_a_reader_asks_for_json(run) -> None:
    arguments = ("poem", LOTUS, LAKE, "--json", "--form", "5x4", "--keywords", "春,雨", "--seed", 3, "--n", 3)
    result = start(*arguments)
    assert (result.status, result.err) == (0, "")
    records = result.records
    assert [record["image"] for record in records] == [LOTUS, LAKE]
    for record in records:
        assert list(record) == ["image", "keywords", "plan", "poem", "checks", "missing"]
        assert all(list(row) == ["word", "score", "probability", "seen"] for row in record["keywords"])
        assert {row["word"] for row in record["keywords"]} == {"春", "雨"}
        checks = check_poem(record["poem"], record["plan"], reported())
        assert record["checks"] == checks and checks["form"] == "5x4"
        assert sorted(record["missing"]) == sorted(checks["missing"]) and all(record["missing"].values())
    assert [record["poem"] for record in run(*arguments).records] == [record["poem"] for record in records]


def test_a_reader_gives_nothing_but_bad_files(tmp_path) -> None:
    kinds = ["folder", "missing", "text", "truncated", "1x1", "bomb", "empty"]  # a folder is looked into first
    result = start("poem", *(make(tmp_path, kind) for kind in kinds), "--card", tmp_path / "cards")
    assert_complaints(result, *(f"{kind}.jpg" for kind in kinds))
    assert result.out == "" and not (tmp_path / "cards").exists()


def test_help_needs_no_torch() -> None:
    """It would take seconds."""
    code = "import sys, helpers.__main__ as cli; cli.build_parser(); print({'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- poem ---


def test_poem_with_the_picture_s_own_words(run) -> None:
    (record,) = run("poem", LAKE, "--json", "--n", 2).records
    assert len(record["keywords"]) == 4 and seen_come_first(record["keywords"])
    assert record["checks"]["form"] == "7x4" and len(record["poem"]) == 4


def test_seed(run) -> None:
    first, again, other = (run("poem", LOTUS, "--json", "--n", 2, "--seed", seed).out for seed in (5, 5, 6))
    assert first == again != other


def test_the_best_of_n_is_shown(run, pipeline) -> None:
    from helpers.data import load_image
    from helpers.options import PoemOptions

    (expected,) = pipeline([load_image(LAKE)], keywords=["雪"], options=PoemOptions(n=4, seed=1))
    (record,) = run("poem", LAKE, "--keywords", "雪", "--n", 4, "--seed", 1, "--json").records
    assert len({poem.lines for poem in expected.candidates}) == 4
    assert record["poem"] == list(expected.candidates[0].lines)


def test_two_pictures_of_one_name_get_two_cards(run, tmp_path, pictures) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        pictures[0].save(tmp_path / folder / "photo.png")
    names = [tmp_path / folder / "photo.png" for folder in ("a", "b")]
    result = run("poem", *names, "--n", 1, "--card", tmp_path)
    cards = [line.removeprefix("card: ") for line in result.out.splitlines() if line.startswith("card: ")]
    assert len(set(cards)) == 2 and all(Path(card).name.startswith("photo_") for card in cards)
    assert all(Image.open(card).format == "PNG" for card in cards)


def test_many_pictures_are_answered_in_order(run, tmp_path, pictures) -> None:
    names = [str(tmp_path / f"{i}.png") for i in range(5)]
    for name, picture in zip(names, pictures, strict=True):
        picture.save(name)
    for command in (["poem", "--n", 1], ["keywords"]):
        result = run(*command, "--batch-size", 2, "--json", *names)
        assert result.status == 0 and [record["image"] for record in result.records] == names


# --- keywords ---


def seen_come_first(rows: list[dict]) -> bool:
    """What is seen, the likeliest first and each at least as likely as not; then the associations."""
    chances = [row["probability"] for row in rows if row["seen"]]
    first = [row["seen"] for row in rows[: len(chances)]]
    return all(first) and chances == sorted(chances, reverse=True) and min(chances, default=1) >= 0.5


def test_keywords(run) -> None:
    result = run("keywords", LOTUS, LAKE, "--json")
    assert (result.status, result.err) == (0, "")
    for record, name in zip(result.records, (LOTUS, LAKE), strict=True):
        assert list(record) == ["image", "keywords"] and record["image"] == name
        words = [row["word"] for row in record["keywords"]]
        assert len(words) == 5 and seen_come_first(record["keywords"])
        assert len(set("".join(words))) == len("".join(words))  # diverse: no character twice
    human = run("keywords", LOTUS, "--k", 5).out.splitlines()
    assert human[0] == LOTUS
    for line, row in zip(human[1:], result.records[0]["keywords"], strict=True):
        chance, word, *note = line.split(maxsplit=2)
        assert word == row["word"]
        assert float(chance.removesuffix("%")) == pytest.approx(100 * row["probability"], abs=1)  # another batch
        assert note == ([] if row["seen"] else ["(not seen)"])


def test_words_of_a_file_are_all_ranked(run, tmp_path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeff荷花\r\n莲花\r\n雪\r\n\r\n荷花\r\nlotus\r\n𪚥\r\n".encode())
    result = run("keywords", LOTUS, LAKE, "--words", path, "--json")
    rankings = [[row["word"] for row in record["keywords"]] for record in result.records]
    assert result.status == 0 and rankings[0] != rankings[1]
    for record, ranking in zip(result.records, rankings, strict=True):
        assert sorted(ranking) == sorted(["荷花", "莲花", "雪", "lotus", "𪚥"])  # near-synonyms and all
        chances = [row["probability"] for row in record["keywords"]]
        assert chances == sorted(chances, reverse=True)
        assert all(row["seen"] == (row["probability"] >= 0.5) for row in record["keywords"])


# --- pictures of all kinds ---


def test_odd_pictures_are_answered(run, tmp_path) -> None:
    photo = Image.open(LAKE).convert("RGB").resize((240, 160))
    grey = np.asarray(photo.convert("L")).astype(np.uint16) * 257
    rotated = Image.Exif()
    rotated[0x0112] = 6  # to be shown turned clockwise
    photo.convert("CMYK").save(tmp_path / "cmyk.jpg")
    Image.fromarray(grey).save(tmp_path / "sixteen.png")
    photo.convert("RGBA").save(tmp_path / "alpha.png")
    photo.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "rotated.png", exif=rotated)
    photo.save(tmp_path / "frames.gif", save_all=True, append_images=[photo.rotate(180)])
    photo.save(tmp_path / "plain.png")
    names = [tmp_path / n for n in ("plain.png", "cmyk.jpg", "sixteen.png", "alpha.png", "rotated.png", "frames.gif")]
    result = run("keywords", *names, "--json")
    assert (result.status, result.err) == (0, "")
    plain, _, _, alpha, turned, _ = ({r["word"]: r["score"] for r in record["keywords"]} for record in result.records)
    for same in (alpha, turned):
        assert same == pytest.approx(plain, abs=2e-3)
    assert run("poem", *names, "--n", 1).status == 0


@pytest.mark.parametrize("kind", ["missing", "text", "truncated", "1x1", "bomb", "empty", "folder"])
def test_one_bad_picture_does_not_stop_the_others(run, tmp_path, kind: str) -> None:
    bad = make(tmp_path, kind)
    result = run("keywords", LOTUS, bad, LAKE, "--json")
    assert_complaints(result, str(bad))
    assert [record["image"] for record in result.records] == [LOTUS, LAKE]


@pytest.mark.parametrize("command", ["poem", "keywords"])
def test_no_model_is_loaded_for_bad_pictures_only(command: str, tmp_path, capsys) -> None:
    names = [str(make(tmp_path, kind)) for kind in ("text", "missing")]
    status = cli.main([command, *names], load=lambda profile: pytest.fail("loaded"))
    assert_complaints(Result(status, *capsys.readouterr()), "text.jpg", "missing.jpg")


# --- requests that cannot be met ---


@pytest.mark.parametrize(
    "arguments, mention",
    [
        (["poem", "--keywords", ""], "--keywords"),
        (["poem", "--keywords", " ,，、 "], "--keywords"),
        (["poem", "--keywords", "春,𪚥"], "𪚥"),
        (["poem", "--keywords", "😀"], "😀"),
        (["poem", "--acrostic", "春夏秋冬梅"], "at most four characters"),
        (["poem", "--acrostic", "春", "--way", "lines"], "cannot be an acrostic too"),
        (["poem", "--keywords", "春", "--way", "caption"], "give no keywords, or another way"),
        (["poem", "--n", "0"], "n must be at least 1, not 0"),
        (["poem", "--seed", "-1"], "seed must be a whole number from 0 to 2**63 - 1"),
        (["keywords", "--k", "0"], "--k must be at least 1, not 0"),
        (["keywords", "--words", "missing.txt"], "missing.txt"),
        (["keywords", "--words", "empty.txt"], "empty.txt"),
        (["keywords", "--words", "blank.txt"], "blank.txt"),
        (["keywords", "--words", "gbk.txt"], "gbk.txt"),
        (["keywords", "--words", "."], "directory"),
    ],
)
def test_what_cannot_be_asked(run, arguments, mention: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in (("empty", b""), ("blank", b"\n \n"), ("gbk", "春雨".encode("gbk"))):
        Path(f"{name}.txt").write_bytes(content)
    result = run(*arguments, LOTUS)
    assert_complaints(result, mention)
    assert result.out == ""


@pytest.mark.parametrize("arguments", [[], ["poem"], ["poem", LOTUS, "--form", "6x4"], ["sing", LOTUS]])
def test_wrong_usage(arguments, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2 and "usage: python -m helpers" in capsys.readouterr().err
