"""data.filtering: each reason, each with its neighbour that passes; and what is written where."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.__main__ import main
from helpers.config import ASSETS
from helpers.data import Rules, filter_pairs

RULES = Rules(max_repeats=2)


def picture(width: int, height: int, colour: tuple[int, int, int] = (0, 0, 255)) -> Image.Image:
    """Half of it white: a picture of one colour would be refused as blank."""
    half = Image.new("RGB", (width, height), "white")
    half.paste(colour, (0, 0, width // 2, height))
    return half


@pytest.fixture
def folder(tmp_path) -> Path:
    """Pictures a.png ... h.png, each of a colour of its own."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate("abcdefgh"):
        picture(80, 70, (30 * number, 0, 0)).save(folder / f"{name}.png")
    return folder


def write_pairs(path: Path, pairs: Sequence[tuple[str, str]]) -> Path:
    """Rows of text and picture, with a column of their own each, in an order of their own."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "number", "url", "text"])
        writer.writerows([name, i, f"http://a.org/{name}", text] for i, (text, name) in enumerate(pairs))
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def reasons(folder, tmp_path):
    """The reason for each pair, "" if it is kept; every row must be in one of the two files, as it was."""

    def call(
        pairs: Sequence[tuple[str, str]],
        rules: Rules = RULES,
        encoder: object = None,
        drop_lowest: float = 0,
        batch_size: int = 64,
    ) -> list[str]:
        source, out = write_pairs(tmp_path / "pairs.csv", pairs), tmp_path / "new" / "clean.csv"
        counts = filter_pairs(source, folder, out, rules, encoder, drop_lowest, batch_size)
        kept, rejected = read_rows(out), read_rows(out.with_name("clean_rejected.csv"))
        found = {row["number"]: row.pop("reason") for row in rejected} | {row["number"]: "" for row in kept}
        assert sorted(kept + rejected, key=lambda row: int(row["number"])) == read_rows(source)
        assert counts == Counter(found.values())
        return [found[str(i)] for i in range(len(pairs))]

    return call


# --- texts ---


@pytest.mark.parametrize(
    "text, reason",
    [
        ("一只狗", ""),
        ("狗", "text too short"),
        ("", "text too short"),
        ("  狗  ", "text too short"),
        ("小狗", ""),
        ("狗" * 100, ""),
        ("狗" * 101, "text too long"),
        ("更多图片请看 http://a.org/b", "text with a url"),
        ("更多图片请看www.图片.org", "text with a url"),
        ("更多图片在taobao.com上", "text with a url"),
        ("一只狗.一只猫", ""),
        ("13800000000", "text of digits or codes"),
        ("１３８００００００００", "text of digits or codes"),
        ("IMG_20190304_1123.jpg", "text of digits or codes"),
        ("DSC-0042 图", "text of digits or codes"),
        ("！！！……", "text of digits or codes"),
        ("2023年的夏天", ""),
        ("苹果 iPhone 15 手机保护壳", ""),
        ("a dog on the grass", "text not in zh"),
        ("一只 dog", "text not in zh"),
        ("一只狗 dog", ""),
        ("私はねこがすきです", "text not in zh"),
        ("정원의 강아지", "text not in zh"),
        ("𠮷野家的饭", ""),
    ],
)
def test_chinese_texts(text: str, reason: str) -> None:
    assert Rules().text_fault(text.strip()) == reason


@pytest.mark.parametrize(
    "language, text, reason",
    [
        ("en", "a dog on the grass", ""),
        ("en", "一只小狗", "text not in en"),
        ("any", "정원의 강아지", ""),
        ("any", "a dog", ""),
        ("any", "12345", "text of digits or codes"),
    ],
)
def test_other_languages(language: str, text: str, reason: str) -> None:
    assert Rules(language=language).text_fault(text) == reason


# --- pictures ---


def test_pictures(reasons, folder) -> None:
    picture(63, 80).save(folder / "small.png")
    picture(64, 64).save(folder / "large_enough.png")
    picture(100, 301).save(folder / "long.png")
    picture(300, 100).save(folder / "not_too_long.png")
    (folder / "text.png").write_text("not a picture")
    (folder / "half.jpg").write_bytes(b"\xff\xd8\xff\xe0 half a picture")
    (folder / "folder.png").mkdir()
    expected = {
        "a.png": "", "missing.png": "picture missing", "": "picture missing", "folder.png": "picture missing",
        "x" * 5000: "picture missing", "text.png": "picture unreadable", "half.jpg": "picture unreadable",
        "small.png": "picture too small", "large_enough.png": "", "long.png": "picture too elongated",
        "not_too_long.png": "",
    }  # fmt: skip
    assert reasons([(f"第{'一' * i}张图", name) for i, name in enumerate(expected)]) == list(expected.values())
    changed = Rules(min_side=100, max_aspect=4)
    pairs = [("一张图", "a.png"), ("两张图", "long.png")]
    assert reasons(pairs, changed) == ["picture too small", ""]


def test_a_picture_is_decoded_once(reasons, monkeypatch) -> None:
    opened = Counter()
    load = Image.open
    monkeypatch.setattr(Image, "open", lambda path, **options: opened.update([path.name]) or load(path, **options))
    names = ["a.png", "b.png", "c.png", "a.png", "d.png", "a.png"]
    assert reasons([(f"{'一' * i}张图", name) for i, name in enumerate(names, 1)], Rules(), batch_size=2) == [""] * 6
    assert reasons([("1234", "e.png")]) == ["text of digits or codes"]
    assert opened == {"a.png": 1, "b.png": 1, "c.png": 1, "d.png": 1}


# --- repeats and duplicates ---


def test_a_text_of_many_pictures(reasons) -> None:
    pairs = [("点击看大图", f"{name}.png") for name in "abc"] + [("一只小狗", f"{name}.png") for name in "ab"]
    assert reasons(pairs) == ["text of more than 2 pictures"] * 3 + ["", ""]


def test_a_picture_of_many_texts(reasons, folder) -> None:
    """By what is in the file: a placeholder comes under many names."""
    for name in ("x", "y", "z"):
        (folder / f"{name}.png").write_bytes((folder / "a.png").read_bytes())
    pairs = [
        ("一只小狗", "x.png"),
        ("一只小猫", "y.png"),
        ("一匹马", "z.png"),
        ("一座山", "b.png"),
        ("一条河", "b.png"),
    ]
    assert reasons(pairs) == ["picture of more than 2 texts"] * 3 + ["", ""]


def test_what_was_rejected_does_not_count(reasons) -> None:
    """Two pictures and a missing one are two pictures."""
    assert reasons([("一只小狗", "a.png"), ("一只小狗", "b.png"), ("一只小狗", "missing.png")])[:2] == ["", ""]


def test_duplicates(reasons, folder) -> None:
    (folder / "copy.png").write_bytes((folder / "a.png").read_bytes())
    same = "the same as an earlier pair"
    pairs = [
        ("一只小狗", "a.png"),
        ("一只小猫", "a.png"),
        ("一只小狗", "a.png"),
        ("一只小狗", "copy.png"),
        ("一只小狗", "b.png"),
    ]
    assert reasons(pairs) == ["", "", same, same, ""]


# --- the model ---


class Encoder:
    """Knows how red a picture is, and how many characters a text has."""

    fingerprint = "redness"

    def __init__(self) -> None:
        self.pictures = self.texts = 0

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        self.pictures += len(images)
        return self.turned([image.getpixel((0, 0))[0] / 30 for image in images])

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += len(texts)
        return self.turned([len(text) - 2 for text in texts])

    @staticmethod
    def turned(numbers: Sequence[float]) -> np.ndarray:
        angles = 0.2 * np.array(numbers, dtype=np.float32)
        return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def test_the_lowest_cosines(reasons) -> None:
    encoder = Encoder()
    pairs = [("山" * (2 + number), f"{name}.png") for number, name in enumerate("abcdefgh")]
    pairs[1], pairs[6] = (pairs[6][0], "b.png"), (pairs[1][0], "g.png")
    pairs += [("山水" * 6, "a.png"), ("1234", "a.png"), ("一座山", "missing.png")]
    far, others = "picture and text far apart", ["text of digits or codes", "picture missing"]
    assert reasons(pairs, RULES, encoder, 1 / 3, 3) == ["", far, "", "", "", "", far, "", far, *others]
    assert (encoder.pictures, encoder.texts) == (8, 9)  # each picture once, and nothing for what is rejected anyway
    assert reasons(pairs, RULES, encoder, 0.1, 3) == [""] * 8 + [far, *others]
    assert (encoder.pictures, encoder.texts) == (8, 9)  # started again, it goes on with what it has


# --- the command ---


@pytest.fixture
def run(folder, tmp_path, capsys):
    def call(
        *arguments: object, pairs: Sequence[tuple[str, str]] = (("一只小狗", "a.png"), ("1234", "b.png"))
    ) -> tuple:
        source = write_pairs(tmp_path / "pairs.csv", pairs)
        status = main([*map(str, ("filter-pairs", source, "--images", folder, *arguments))])
        return status, *capsys.readouterr()

    return call


def test_counts(run, tmp_path) -> None:
    pairs = [("一只小狗", "a.png"), ("1234", "b.png"), ("5678", "b.png"), ("一只小猫", "no.png")]
    status, out, err = run("--out", tmp_path / "clean.csv", pairs=pairs)
    lines = [line.split(maxsplit=1) for line in err.splitlines()[-2:]]
    assert (status, out) == (0, "") and f"1 of 4 pairs kept: {tmp_path / 'clean.csv'}" in err
    assert lines == [["2", "text of digits or codes"], ["1", "picture missing"]]
    assert (tmp_path / "clean.csv").read_text(encoding="utf-8").splitlines() == [
        "filename,number,url,text", "a.png,0,http://a.org/a.png,一只小狗",
    ]  # fmt: skip


def test_every_option_counts(run, tmp_path) -> None:
    options = {
        "--language": "en", "--min-side": 75, "--max-aspect": 1.1, "--min-chars": 5, "--max-chars": 3,
        "--max-repeats": 1,
    }  # fmt: skip
    pairs = [("一只小狗", "a.png"), ("一只小狗", "b.png")]
    assert run("--out", tmp_path / "clean.csv", pairs=pairs)[2].count("2 of 2 pairs kept")
    for option, value in options.items():
        assert run("--out", tmp_path / "clean.csv", option, value, pairs=pairs)[2].count("0 of 2 pairs kept"), option


def test_the_embedded_model_drops_the_lowest(run, folder, tmp_path) -> None:
    photos = ASSETS / "photos"
    for name in ("lotus", "snow_lake", "night_city", "grassland"):
        (folder / f"{name}.jpg").write_bytes((photos / f"{name}.jpg").read_bytes())
    pairs = [
        ("池塘里的荷花", "lotus.jpg"),
        ("雪山下的湖", "snow_lake.jpg"),
        ("城市的夜景", "night_city.jpg"),
        ("池塘里的荷花开了", "grassland.jpg"),
    ]
    assert run("--out", tmp_path / "clean.csv", "--drop-lowest", 0.25, pairs=pairs)[0] == 0
    assert [row["filename"] for row in read_rows(tmp_path / "clean_rejected.csv")] == ["grassland.jpg"]


def test_the_list_is_not_overwritten(run, tmp_path) -> None:
    source = tmp_path / "pairs.csv"
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    for out in (source, tmp_path / "link" / "pairs.csv"):
        status, _, err = run("--out", out)
        assert status == 2 and err.startswith(f"error: {source}: ") and len(err.splitlines()) == 1
    rejected = write_pairs(tmp_path / "clean_rejected.csv", [("一只小狗", "a.png")])
    before = rejected.read_bytes()
    assert main(["filter-pairs", str(rejected), "--images", str(tmp_path), "--out", str(tmp_path / "clean.csv")]) == 2
    assert rejected.read_bytes() == before and not (tmp_path / "clean.csv").exists() and len(read_rows(source)) == 2


def test_a_rejected_list_can_be_filtered_again(run, folder, tmp_path) -> None:
    run("--out", tmp_path / "clean.csv")
    command = [
        "filter-pairs",
        str(tmp_path / "clean_rejected.csv"),
        "--images",
        str(folder),
        "--out",
        str(tmp_path / "2.csv"),
    ]
    assert main(command) == 0
    assert (tmp_path / "2_rejected.csv").read_bytes() == (tmp_path / "clean_rejected.csv").read_bytes()


def test_what_cannot_be_filtered(run, folder, tmp_path) -> None:
    out = tmp_path / "clean.csv"
    for arguments, mention in ((["--images", tmp_path / "nowhere"], "nowhere"), (["--model", "x"], "--drop-lowest")):
        status, _, err = run("--out", out, *arguments)
        assert status == 2 and mention in err and len(err.splitlines()) == 1
    (tmp_path / "bare.csv").write_text("filename,caption\na.png,一只小狗\n", encoding="utf-8")
    assert main(["filter-pairs", str(tmp_path / "bare.csv"), "--images", str(folder), "--out", str(out)]) == 2
    assert not out.exists()


def test_no_pairs_at_all(run, tmp_path) -> None:
    status, _, err = run("--out", tmp_path / "clean.csv", pairs=[])
    assert status == 0 and "0 of 0 pairs kept" in err and read_rows(tmp_path / "clean.csv") == []


@pytest.mark.parametrize("option", ["--drop-lowest=0", "--drop-lowest=1", "--min-side=0", "--language=fr"])
def test_wrong_numbers(option: str, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["filter-pairs", "p.csv", "--images", "i", "--out", "o.csv", option])
    assert stop.value.code == 2 and "error" in capsys.readouterr().err
