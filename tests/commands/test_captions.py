"""python -m helpers train clipcap | capdec | coca | evaluate captions | caption: in turn, a kill in the middle."""

import json

import pytest
import torch
from safetensors.torch import load_file

from helpers.__main__ import main
from tests.samples import killed_and_resumed

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def arguments(squares_folder, clip_folder) -> list[str]:
    data = ["--data", squares_folder, "--split-list", squares_folder / "splits.csv", "--language", "en"]
    return [str(each) for each in [*data, "--encoder", clip_folder]]


SETTINGS = ["--epochs", "2", "--batch-size", "4", "--captions-per-image", "2", "--save-every", "3"]


@pytest.fixture(scope="module")
def training(arguments) -> list[str]:
    return ["train", "clipcap", *arguments, *SETTINGS]


@pytest.mark.parametrize("model", [["clipcap"], ["capdec", "--captions-per-image", "1", "--shift"], ["coca"]])
def test_a_killed_run_ends_with_the_same_weights(arguments, model, tmp_path) -> None:
    killed_and_resumed(["train", model[0], *arguments, *SETTINGS, *model[1:]], tmp_path)


def test_from_training_to_captions(training, arguments, squares_folder, tmp_path, capsys) -> None:
    assert main([*training, "--mapping", "transformer", "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    model = ["--model", str(tmp_path / "run")]
    assert main(["evaluate", "captions", *model, *arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["nearest", "consensus", "greedy", "beam", "human"]
    for row in report.values():
        assert {"CIDEr", "BLEU-4", "BLEU-1", "distinct", "length", "copied", "R@1", "R@10"} <= row.keys()
    assert report["nearest"]["copied"] == report["consensus"]["copied"] == 1
    assert 0 <= report["consensus"]["no_worse_than_beam"] <= 1
    assert main(["evaluate", "captions", *model, *arguments]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == list(report) and all("CIDEr " in row for row in rows)


def test_arguments_from_a_file(training, tmp_path, capsys) -> None:
    (tmp_path / "ours.args").write_text("--mapping transformer  # a comment\n--prefix-length 3\n--constants 2\n")
    assert main([*training, f"@{tmp_path / 'ours.args'}", "--freeze-decoder", "--out", str(tmp_path / "run")]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["mapping"], config["prefix_length"], config["constants"]) == ("transformer", 3, 2)
    assert f"{tmp_path / 'run'}: " in capsys.readouterr().err


def test_captions_of_pictures(training, clip_folder, squares_folder, tmp_path, capsys) -> None:
    """One object a line; what is no picture costs one line on stderr."""
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.config import load_config

    assert main([*training, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()

    class Stub:
        config, encoder = load_config("mini"), ImageTextEncoder.from_pretrained(clip_folder)

    (tmp_path / "no.jpg").write_text("no picture")
    pictures = [str(path) for path in sorted(squares_folder.rglob("*.png"))[:2]]
    command = ["caption", *pictures, str(tmp_path / "no.jpg"), "--model", str(tmp_path / "run")]
    assert main([*command, "--json", "--beams", "2"], load=lambda profile: Stub()) == 2
    out, err = capsys.readouterr()
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["image"] for record in records] == pictures and all(set(r) == {"image", "caption"} for r in records)
    assert err.startswith("error: ") and "no.jpg" in err
    assert main([*command[:3], *command[4:]], load=lambda profile: Stub()) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith(f"{pictures[0]}  ")


def test_sentences_from_a_file_and_from_a_set(arguments, squares_folder, tmp_path, capsys) -> None:
    """The move goes into the folder: the captioner needs nothing else afterwards."""
    (tmp_path / "few.txt").write_text("a red square\n\na green square\na blue square\na red square\n")
    command = ["train", "capdec", *arguments, "--epochs", "1", "--batch-size", "2"]
    sources = {"file": ["--texts", str(tmp_path / "few.txt")], "set": ["--texts", str(squares_folder)], "own": []}
    for name, source in sources.items():
        assert main([*command, *source, "--out", str(tmp_path / name)]) == 0
    runs = {name: json.loads((tmp_path / name / "run.json").read_text()) for name in sources}
    assert len({run["captions"] for run in runs.values()}) == 3  # a set beside --data has splits of its own
    assert runs["file"]["noise"] == 0.016
    assert main([*command, *sources["file"], "--shift", "--out", str(tmp_path / "moved")]) == 0
    assert json.loads((tmp_path / "moved" / "run.json").read_text())["noise"] == 0.004
    means = [load_file(tmp_path / name / "model.safetensors")["centred.mean"] for name in ("file", "moved")]
    assert not torch.allclose(*means)
    capsys.readouterr()
    (tmp_path / "few.txt").write_text(" \n")
    assert main([*command, *sources["file"], "--out", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.strip() == f"error: {tmp_path / 'few.txt'}: no sentence in it"


def test_a_coca_from_a_csv(arguments, clip_folder, squares_folder, tmp_path, capsys) -> None:
    """write-csv, train coca --csv, evaluate captions, caption: each reads what the one before wrote."""
    from helpers.chinese_clip import ImageTextEncoder
    from helpers.config import load_config

    splits = ["--split-list", str(squares_folder / "splits.csv")]
    command = ["write-csv", str(squares_folder), *splits, "--language", "en", "--out", str(tmp_path / "all.csv")]
    assert main(command) == 0
    assert main(command) == 2 and "is there already" in capsys.readouterr().err
    count = len(list((tmp_path / "all").iterdir()))
    rows = [f"{i:06d}.jpg,{'train' if i % 4 else 'val'}" for i in range(count)]
    (tmp_path / "splits.csv").write_text("\n".join(["filename,split", *rows]) + "\n")
    data = ["--csv", str(tmp_path / "all.csv"), "--split-list", str(tmp_path / "splits.csv"), "--language", "en"]
    training = ["train", "coca", *data, *arguments[-2:], "--epochs", "40", "--batch-size", "4", "--lr", "3e-3"]
    assert main([*training, "--captions-per-image", "2", "--out", str(tmp_path / "run")]) == 0
    assert "i2t R@1" in capsys.readouterr().err
    losses = json.loads((tmp_path / "run" / "history.json").read_text())["losses"]
    assert losses[-1] < losses[0] / 3
    model = ["--model", str(tmp_path / "run")]
    assert main(["evaluate", "captions", *model, *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["beam"]["CIDEr"] > 20

    class Stub:
        config, encoder = load_config("mini"), ImageTextEncoder.from_pretrained(clip_folder)

    (picture, *_) = sorted(squares_folder.rglob("*.png"))
    assert main(["caption", str(picture), *model], load=lambda profile: Stub()) == 0
    assert "square" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["clipcap", "--decoder", "x", "--dropout", "0.1"], "--dropout is of a new decoder"),
        (["capdec", "--decoder", "x", "--dropout", "0.1"], "--dropout is of a new decoder"),
        (["capdec", "--data", "one.parquet"], "cannot both train and validate"),
    ],
)
def test_wishes_that_cannot_be_met(options, message, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.parquet").write_bytes(b"")
    assert main(["train", *options, "--out", "run"]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    with pytest.raises(SystemExit):
        main(["train", "capdec", "--noise", "-1", "--out", "run"])
