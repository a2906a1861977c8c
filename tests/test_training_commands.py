"""python -m helpers evaluate retrieval | train clip: what is printed, where, and with which exit status."""

import json

import pytest

from helpers.__main__ import main
from helpers.config import ASSETS
from helpers.training_commands import hub_needed

MINI = str(ASSETS / "image_text")


@pytest.fixture
def run(squares_folder, capsys):
    """`main` in this process; returns the exit status, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = main([*map(str, arguments)])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def data(squares_folder) -> list[object]:
    return ["--data", squares_folder, "--split-list", squares_folder / "splits.csv"]


def complaint(result: tuple[int, str, str], *mentions: object) -> bool:
    status, out, err = result
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    return status == 2 and out == "" and len(lines) == 1 and all(str(mention) in lines[0] for mention in mentions)


# --- evaluate retrieval ---


def test_retrieval_as_json(run, data) -> None:
    status, out, err = run("evaluate", "retrieval", "--checkpoint", MINI, *data, "--split", "test", "--json")
    figures = json.loads(out)
    assert status == 0 and out.count("\n") == 1 and "error" not in err
    assert list(figures) == ["pictures", "captions", "text_to_image", "image_to_text", "chance"]
    assert (figures["pictures"], figures["captions"]) == (4, 8)
    for recall in (figures, figures["chance"]):
        for way in ("text_to_image", "image_to_text"):
            assert list(recall[way]) == ["1", "5", "10"]
            assert 0 <= recall[way]["1"] <= recall[way]["5"] <= recall[way]["10"] == 100
    assert figures["chance"]["text_to_image"]["1"] == figures["chance"]["image_to_text"]["1"] == pytest.approx(25)


def test_retrieval_as_text(run, data) -> None:
    status, out, _ = run("evaluate", "retrieval", "--checkpoint", MINI, *data)
    head, *ways = out.splitlines()
    assert status == 0 and head == "4 pictures, 8 captions" and len(ways) == 2
    for line, way in zip(ways, ("text to image: R@1 ", "image to text: R@1 "), strict=True):
        assert line.startswith(way) and "(chance 25)" in line and line.endswith("R@10 100.0 (chance 100)")


def test_a_checkpoint_that_is_none(run, data, tmp_path) -> None:
    assert complaint(run("evaluate", "retrieval", "--checkpoint", tmp_path, *data))
    missing = tmp_path / "missing_folder"
    assert complaint(run("evaluate", "retrieval", "--checkpoint", missing, *data), "missing_folder")


def test_data_that_is_not_there(run, tmp_path) -> None:
    command = ["evaluate", "retrieval", "--checkpoint", MINI]
    assert complaint(run(*command, "--data", "./nothing"), "./nothing")
    assert complaint(run(*command, "--data", tmp_path), tmp_path, "captions.csv")
    (tmp_path / "broken.parquet").write_bytes(b"not a table")
    assert complaint(run(*command, "--data", tmp_path / "broken.parquet"))


def test_split_list_and_language_that_are_not_there(run, data, tmp_path) -> None:
    command = ["evaluate", "retrieval", "--checkpoint", MINI, *data]
    assert complaint(run(*command, "--split-list", tmp_path / "missing.csv"), "missing.csv")
    assert complaint(run(*command, "--language", "zh"), "zh")


# --- train clip ---


@pytest.mark.parametrize(
    "arguments, mention",
    [
        (["--batch-size", "17"], "17"),
        (["--start", "missing_folder"], "missing_folder"),
        (["--image-weights", "missing.safetensors"], "missing.safetensors"),
        (["--text-model", "./missing_model"], "missing_model"),
        (["--language", "zh"], "zh"),
        (["--data", "./nothing"], "./nothing"),
    ],
)
def test_what_cannot_be_trained(arguments, mention: str, run, data, tmp_path) -> None:
    result = run("train", "clip", "--frozen", *data, "--image-size", 32, "--out", tmp_path / "out", *arguments)
    assert complaint(result, mention)
    assert not (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize("option", ["--batch-size", "--save-every", "--chunk-size", "--captions-per-image", "--epochs"])
def test_numbers_below_one(option: str, data, tmp_path, bundle_folder, capsys) -> None:
    """By argparse or by hand, but not by a traceback, nor by a model that was never trained."""
    command = ["train", "clip", "--frozen", *data, "--start", bundle_folder, "--batch-size", 4, "--epochs", 1]
    try:
        status = main([*map(str, command), "--out", str(tmp_path), option, "0"])
    except SystemExit as stop:
        status = stop.code
    assert status == 2 and "error" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["train"],
        ["train", "clip"],  # --out is missing
        ["train", "clip", "--out", "x", "--language", "fr"],
        ["train", "clip", "--out", "x", "--epochs", "three"],
        ["evaluate", "retrieval"],
        ["evaluate", "retrieval", "--checkpoint", "x", "--split", "dev"],
    ],
)
def test_wrong_usage(arguments, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and "usage: python -m helpers" in capsys.readouterr().err


def test_one_file_cannot_train_and_validate(tmp_path, capsys) -> None:
    """It would be measured on what it was trained on."""
    (tmp_path / "all.parquet").write_bytes(b"")
    assert main(["train", "clip", "--data", str(tmp_path / "all.parquet"), "--out", str(tmp_path / "out")]) == 2
    assert "--split-list" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (["lmms-lab/flickr30k", None], True),
        (["drawn", "distilbert/distilbert-base-multilingual-cased"], True),
        (["drawn", None], False),
        (["./some/folder", "../folder"], False),
        (["/some/where"], False),
    ],
)
def test_the_hub_is_asked_where_it_is_named(names: list, asked: bool) -> None:
    assert hub_needed(*names) == ({"offline": False} if asked else {})
