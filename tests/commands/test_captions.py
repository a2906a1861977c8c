"""python -m helpers train clipcap | evaluate captions | caption: one after the other, a kill in the middle."""

import json
import signal

import pytest
import torch
from safetensors.torch import load_file

from helpers.__main__ import main
from tests.samples import KILLED, start

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def arguments(squares_folder, clip_folder) -> list[str]:
    data = ["--data", squares_folder, "--split-list", squares_folder / "splits.csv", "--language", "en"]
    return [str(each) for each in [*data, "--encoder", clip_folder]]


@pytest.fixture(scope="module")
def training(arguments) -> list[str]:
    settings = ["--epochs", "2", "--batch-size", "4", "--captions-per-image", "2", "--save-every", "3"]
    return ["train", "clipcap", *arguments, *settings]


def test_a_killed_run_ends_with_the_same_weights(training, tmp_path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main([*training, "--out", str(whole)]) == 0
    assert start("-c", KILLED, "step", *training, "--out", killed).returncode == -signal.SIGKILL
    assert [path.name for path in (killed / "checkpoints").iterdir()] == ["step_0000003"]
    done = start("-m", "helpers", *training, "--out", killed, "--resume")
    assert done.returncode == 0, done.stderr
    expected, found = (load_file(folder / "model.safetensors") for folder in (whole, killed))
    assert expected.keys() == found.keys() and all(torch.equal(found[name], expected[name]) for name in expected)


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
