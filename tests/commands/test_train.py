"""python -m helpers evaluate retrieval | train clip | train lit: what is printed, where, and the exit status."""

import json
import shutil
from dataclasses import asdict

import pytest

from helpers.__main__ import build_parser, main
from helpers.clip import feature_width, load_clip
from helpers.config import ASSETS
from helpers.options import TrainingConfig
from helpers.storage import is_hub_id
from helpers.training import RUN

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
    assert status == 0 and head == "4 pictures, 8 captions in 'en'" and len(ways) == 2
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
def test_numbers_below_one(option: str, data, tmp_path, clip_folder, capsys) -> None:
    """By argparse or by hand, but not by a traceback, nor by a model that was never trained."""
    command = ["train", "clip", "--frozen", *data, "--start", clip_folder, "--batch-size", 4, "--epochs", 1]
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
    ("name", "on_the_hub"),
    [
        ("lmms-lab/flickr30k", True),
        ("distilbert/distilbert-base-multilingual-cased", True),
        ("drawn", False),
        ("./some/folder", False),
        ("./folder", False),
        ("../folder", False),
        ("~/folder", False),
        ("/some/where", False),
    ],
)
def test_the_hub_is_asked_where_it_is_named(name: str, on_the_hub: bool) -> None:
    assert is_hub_id(name) == on_the_hub


# --- train lit ---


@pytest.fixture
def chinese(squares_folder, tmp_path) -> list[object]:
    """The squares, each with one Chinese caption, as `filter-pairs` writes a set."""
    folder = shutil.copytree(squares_folder, tmp_path / "chinese")
    words = dict(zip("red green blue yellow black white grey left right".split(), "红绿蓝黄黑白灰左右", strict=True))
    rows = ["text,url,filename"]
    for line in (folder / "captions.csv").read_text(encoding="utf-8").splitlines()[1::2]:
        name, caption = line.split(",")
        rows.append(f"{''.join(words.get(word, '') for word in caption.split())},https://example.org/{name},{name}")
    (folder / "captions.csv").write_text("\n".join(rows), encoding="utf-8")
    return ["--data", folder, "--split-list", folder / "splits.csv"]


def test_options_from_a_file(run, chinese, clip_folder, tmp_path) -> None:
    options, out = tmp_path / "lit.args", tmp_path / "out"
    options.write_text(
        f"# how the squares are learnt\n--image-tower '{clip_folder}'   # a model of ours\n\n--text-model new\n"
        "--epochs 2  # not 3\n--head-lr 2e-3 --dropout 0.3 --dim 48\n",
        encoding="utf-8",
    )
    assert run("train", "lit", f"@{options}", *chinese, "--batch-size", 8, "--out", out)[0] == 0
    settings = json.loads((out / RUN).read_text(encoding="utf-8"))
    asked = asdict(TrainingConfig(epochs=2, batch_size=8, head_lr=2e-3))
    assert settings | asked | {"language": "zh", "dim": 48, "dropout": 0.3} == settings
    model, _ = load_clip(out)
    assert (model.config.dim, model.config.dropout, model.config.text_config.hidden_size) == (48, 0.3, 256)
    assert model.config.locked and feature_width(model.config.vision_config) == 32


def test_the_command_line_wins_over_the_file(tmp_path) -> None:
    options = tmp_path / "lit.args"
    options.write_text("--epochs 4 --head-lr 2e-3 --dropout 0.3 --out here\n", encoding="utf-8")
    args = build_parser().parse_args(["train", "lit", f"@{options}", "--epochs", "2", "--dropout", "0.2", "--resume"])
    assert (args.epochs, args.head_lr, args.dropout, str(args.out), args.resume) == (2, 2e-3, 0.2, "here", True)


@pytest.mark.parametrize(
    ("content", "mention"),
    [
        ("--epochs 4\n--colour red\n", "unrecognized arguments: --colour red"),
        ("--epochs four\n", "--epochs"),
        ("--text-model 'new\n", "quotation"),
        (None, "missing.args"),
    ],
)
def test_a_file_of_options_that_cannot_be_read(content, mention, chinese, tmp_path, capsys) -> None:
    options = tmp_path / ("missing.args" if content is None else "lit.args")
    if content is not None:
        options.write_text(content, encoding="utf-8")
    try:
        status = main([*map(str, ["train", "lit", f"@{options}", *chinese, "--out", tmp_path / "out"])])
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    errors = [line for line in err.splitlines() if "error: " in line]
    assert status == 2 and out == "" and len(errors) == 1 and mention in errors[0]
    assert not (tmp_path / "out").exists()


def test_every_shipped_file_of_options_is_understood() -> None:
    """Without loading what it names."""
    files = sorted((ASSETS.parents[1] / "recipes").rglob("*.args"))
    captioners = [file for file in files if file.name.startswith("clipcap")]
    for file in captioners:
        args = build_parser().parse_args(["train", "clipcap", f"@{file}", "--out", "out"])
        assert (args.language, args.mapping, args.prefix_length) == ("zh", "mlp", 10), file
    assert len(captioners) == 2
    files = [file for file in files if file not in captioners]
    unless_named = ["--image-tower", "some/tower", "--text-model", "some/bert"]
    for file in files:
        args = build_parser().parse_args(["train", "lit", *unless_named, f"@{file}", "--out", "out"])
        assert is_hub_id(args.image_tower) and is_hub_id(args.text_model), file
        assert (args.language, args.batch_size, args.captions_per_image) == ("zh", 256, 5), file
    assert len(files) >= 2


def test_train_lit_and_evaluate(run, chinese, clip_folder, tmp_path) -> None:
    """A new BERT on real pictures, from the command line alone, and what it is worth."""
    out = tmp_path / "out"
    command = ["train", "lit", *chinese, "--image-tower", clip_folder, "--text-model", "new", "--out", out]
    status, stdout, err = run(*command, "--epochs", 1, "--batch-size", 8)
    assert status == 0 and stdout == "" and f"{out}: 4 steps  loss " in err and "t2i R@1 " in err
    evaluate = ["evaluate", "retrieval", "--checkpoint", out, *chinese, "--language", "zh"]
    status, stdout, err = run(*evaluate, "--split", "test", "--json")
    figures = json.loads(stdout)
    assert status == 0 and (figures["pictures"], figures["captions"]) == (4, 4)
    assert figures["text_to_image"]["10"] == figures["image_to_text"]["10"] == 100
    assert run(*evaluate)[1].startswith("4 pictures, 4 captions in 'zh'\n")
    assert complaint(run(*evaluate, "--image-size", 64), out)  # of a locked tower it cannot be changed
    assert complaint(run("evaluate", "retrieval", "--checkpoint", out, *chinese, "--language", "en"), "en")


@pytest.mark.parametrize(
    ("arguments", "mention"),
    [
        (["--batch-size", "17"], "17"),
        (["--language", "en"], "en"),
        (["--image-tower", "./missing_tower"], "missing_tower"),
        (["--text-model", "./missing_model"], "missing_model"),
        (["--data", "./nothing"], "./nothing"),
    ],
)
def test_what_lit_cannot_train(arguments, mention: str, run, chinese, clip_folder, tmp_path) -> None:
    command = ["train", "lit", *chinese, "--image-tower", clip_folder, "--text-model", "new", "--batch-size", 8]
    assert complaint(run(*command, "--out", tmp_path / "out", *arguments), mention)
    assert not (tmp_path / "out" / "config.json").exists()


def test_lit_takes_no_option_of_clip(tmp_path, capsys) -> None:
    for option in (["--frozen"], ["--image-lr", "1e-4"], ["--start", "x"], ["--image-size", "64"]):
        with pytest.raises(SystemExit) as stop:
            main(["train", "lit", "--out", str(tmp_path / "out"), *option])
        assert stop.value.code == 2 and f"unrecognized arguments: {' '.join(option)}" in capsys.readouterr().err


def test_one_file_cannot_train_and_validate_lit(run, tmp_path) -> None:
    (tmp_path / "all.parquet").write_bytes(b"")
    assert complaint(run("train", "lit", "--data", tmp_path / "all.parquet", "--out", tmp_path / "out"), "--split-list")
    assert not (tmp_path / "out").exists()
