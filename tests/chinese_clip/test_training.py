"""chinese_clip.training: what learns and what does not, features that are computed once, and a kill -9 on the way."""

import json
import shutil
import signal
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from helpers.__main__ import main
from helpers.chinese_clip import BertCLIPBundle, load_image_tower, new_bert, train_lit
from helpers.clip import image_features
from helpers.data import load_captions
from helpers.options import TrainingConfig
from helpers.training import checkpoints
from tests.samples import KILLED, start

pytestmark = pytest.mark.usefixtures("one_thread")

COLOURS = {"red": "红", "green": "绿", "blue": "蓝", "yellow": "黄"}
GROUNDS = {"black": "黑", "white": "白", "grey": "灰"}
SIDES = {"left": "左", "right": "右"}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


@pytest.fixture(scope="module")
def chinese_folder(squares_folder, tmp_path_factory) -> Path:
    """The squares with Chinese captions, as `download-images` and `filter-pairs` write a set."""
    folder = tmp_path_factory.mktemp("chinese_squares")
    for path in squares_folder.iterdir():
        shutil.copy(path, folder)
    rows = ["text,url,filename"]
    for line in (squares_folder / "captions.csv").read_text(encoding="utf-8").splitlines()[1::2]:
        name, caption = line.split(",")
        _, colour, _, _, ground, _, _, side = caption.split()  # a red square on black at the left
        colour, ground, side = COLOURS[colour], GROUNDS[ground], SIDES[side]
        rows += [f"{ground}底{side}边的{colour}方块,https://example.org/{name},{name}"]
        rows += [f'"{ground}色之上，{side}边有一块{colour}色, 方的",https://example.org/{name},{name}']
    (folder / "captions.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def small_bert(chinese_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("small_bert")
    captions = load_captions(chinese_folder, "train", chinese_folder / "splits.csv").captions_zh
    torch.manual_seed(0)
    bert, tokenizer = new_bert([text for group in captions for text in group], **SMALL)
    bert.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def bert_clip(bundle_folder, small_bert) -> BertCLIPBundle:
    torch.manual_seed(0)
    return BertCLIPBundle.from_towers(bundle_folder, small_bert, dim=32)


@pytest.fixture
def squares(chinese_folder):
    """16 pictures to learn."""
    return load_captions(chinese_folder, "train", chinese_folder / "splits.csv")


CONFIG = TrainingConfig(epochs=2, batch_size=8, save_every=3, text_lr=1e-3)  # 8 steps


# --- what learns ---


def test_it_learns_what_can_be_learnt(bert_clip, squares, tmp_path) -> None:
    config = TrainingConfig(epochs=60, batch_size=8, head_lr=5e-3, text_lr=3e-3)
    progress = train_lit(bert_clip, squares, squares, config, tmp_path, device="cpu")
    assert progress.step == len(progress.losses) == 240 and len(progress.epochs) == 60
    first, last = progress.epochs[0], progress.epochs[-1]
    assert last["loss"] < first["loss"] / 2
    assert last["t2i R@1"] > 3 * 100 / 16 and last["i2t R@1"] > 3 * 100 / 16  # chance: 6.25 and about 12
    assert json.loads((tmp_path / "history.json").read_text()) == asdict(progress)
    assert BertCLIPBundle.load(tmp_path).digest() == bert_clip.digest()


def test_only_the_image_backbone_stays(bert_clip, squares, tmp_path) -> None:
    before = {name: tensor.clone() for name, tensor in bert_clip.model.state_dict().items()}
    train_lit(bert_clip, squares, squares.first(4), CONFIG, tmp_path, device="cpu")
    after = bert_clip.model.state_dict()
    still = {name for name in after if torch.equal(after[name], before[name])}
    locked = {name for name in after if name.startswith("image.backbone.")}
    assert len(locked) > 200 and still == locked
    saved = BertCLIPBundle.load(tmp_path).model.state_dict()
    assert all(torch.equal(saved[name], after[name]) for name in after)
    assert not bert_clip.model.training and not any(parameter.is_inference() for parameter in after.values())


def test_the_rates_are_those_of_the_parts(bert_clip, squares, tmp_path) -> None:
    """Without a rate the BERT stays as it is, and the heads do not."""
    before = {name: tensor.clone() for name, tensor in bert_clip.model.state_dict().items()}
    train_lit(bert_clip, squares, squares, replace(CONFIG, text_lr=0.0), tmp_path, device="cpu")
    after = bert_clip.model.state_dict()
    still = {name for name in after if torch.equal(after[name], before[name])}
    assert still == {name for name in after if ".backbone." in name}


def test_chunks_give_the_same_losses(bert_clip, bundle_folder, small_bert, squares, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("helpers.training.loop.pick_dtype", lambda device: torch.float32)
    config = replace(CONFIG, epochs=1)
    for module in bert_clip.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    begin = {name: tensor.clone() for name, tensor in bert_clip.model.state_dict().items()}
    whole = train_lit(bert_clip, squares, squares, config, tmp_path / "whole", device="cpu")
    bert_clip.model.load_state_dict(begin)
    chunks = train_lit(bert_clip, squares, squares, replace(config, chunk_size=3), tmp_path / "chunks", device="cpu")
    assert chunks.losses == pytest.approx(whole.losses, abs=1e-3)


def test_a_language_without_captions(bert_clip, squares, tmp_path) -> None:
    with pytest.raises(ValueError, match="'en'"):
        train_lit(bert_clip, squares, squares, CONFIG, tmp_path / "out", language="en", device="cpu")
    assert not (tmp_path / "out").exists()


# --- features are computed once ---


class Counting:
    """`image_features`, which notes how many pictures it is asked for and may fail."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.asked, self.fail_at = [], fail_at

    def __call__(self, bundle, pictures, device: str) -> np.ndarray:
        self.asked.append(len(pictures))
        if len(self.asked) - 1 == self.fail_at:
            raise OSError("the machine went off")
        return image_features(bundle, pictures, device)


@pytest.fixture
def counted(monkeypatch):
    def install(fail_at: int | None = None) -> list[int]:
        counting = Counting(fail_at)
        monkeypatch.setattr("helpers.clip.features.image_features", counting)
        return counting.asked

    return install


def test_pictures_are_looked_at_once(bert_clip, bundle_folder, small_bert, squares, counted, tmp_path) -> None:
    asked = counted()
    train_lit(bert_clip, squares, squares.first(4), CONFIG, tmp_path / "first", device="cpu")
    assert asked == [16, 4]  # whatever the epochs
    another = BertCLIPBundle.of(load_image_tower(bundle_folder), *new_bert(["红绿蓝黄"], **SMALL), dim=16)
    train_lit(another, squares, squares.first(4), CONFIG, tmp_path / "second", device="cpu")
    assert asked == [16, 4]  # another BERT and other heads, but the same pictures through the same tower
    with torch.no_grad():
        another.model.image.backbone.tower.head.norm.bias += 0.1
    train_lit(another, squares, squares.first(4), CONFIG, tmp_path / "third", device="cpu")
    assert asked == [16, 4, 16, 4]


def test_an_interruption_costs_one_block(bert_clip, squares, counted, monkeypatch, tmp_path) -> None:
    whole = train_lit(bert_clip, squares, squares.first(4), CONFIG, tmp_path / "whole", device="cpu")
    monkeypatch.setenv("IMAGE_TO_POEM_CACHE", str(tmp_path / "other cache"))
    monkeypatch.setattr("helpers.clip.features.BLOCK", 6)
    bundle = BertCLIPBundle.from_towers(tmp_path / "whole" / "image", tmp_path / "whole" / "text", dim=32)
    asked = counted(fail_at=1)
    with pytest.raises(OSError, match="went off"):
        train_lit(bundle, squares, squares.first(4), CONFIG, tmp_path / "out", device="cpu")
    assert asked == [6, 6]
    asked = counted()
    progress = train_lit(bundle, squares, squares.first(4), CONFIG, tmp_path / "out", device="cpu")
    assert asked == [6, 4, 4]  # the second block and the third, and the four of validation
    assert progress.step == whole.step


# --- kill -9 ---


@pytest.fixture
def arguments(chinese_folder, bundle_folder) -> list[object]:
    """12 steps in two epochs of 6: 16 pictures, batches of 5, two captions each."""
    data = ["--data", chinese_folder, "--split-list", chinese_folder / "splits.csv", "--image-tower", bundle_folder]
    return ["train", "lit", *data, "--epochs", 2, "--batch-size", 5, "--save-every", 3]


WEIGHTS = ("heads.safetensors", "text/model.safetensors", "image/model.safetensors")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no kill -9")
@pytest.mark.parametrize("text_model, moment", [("new", "save"), ("small_bert", "step")])
def test_a_killed_run_ends_with_the_same_weights(text_model: str, moment: str, arguments, small_bert, tmp_path) -> None:
    arguments = [*arguments, "--text-model", small_bert if text_model == "small_bert" else text_model]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main([*map(str, arguments), "--out", str(whole)]) == 0
    assert start("-c", KILLED, moment, *arguments, "--out", killed).returncode == -signal.SIGKILL
    left = sorted(path.name for path in (killed / "checkpoints").iterdir())
    assert left == {"save": ["step_0000003", "step_0000006.new"], "step": ["step_0000003"]}[moment]  # of 6: mid-epoch
    assert not (killed / "config.json").exists()
    done = start("-m", "helpers", *arguments, "--out", killed, "--resume")
    assert done.returncode == 0, done.stderr
    for file in WEIGHTS:
        expected, found = (load_file(folder / file) for folder in (whole, killed))
        assert expected.keys() == found.keys() and all(torch.equal(found[name], expected[name]) for name in expected)
    histories = [json.loads((folder / "history.json").read_text()) for folder in (whole, killed)]
    assert histories[0] == histories[1] and len(histories[0]["losses"]) == 12
    assert [path.name for path in checkpoints(killed)] == ["step_0000012"]


def one_complaint(capsys, *mentions: str) -> bool:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return len(lines) == 1 and all(mention in lines[0] for mention in mentions)


def test_runs_are_not_mixed_up(arguments, small_bert, tmp_path, capsys) -> None:
    arguments = [*map(str, [*arguments, "--text-model", small_bert, "--out", tmp_path])]
    assert main(arguments) == 0
    weights = [(tmp_path / file).read_bytes() for file in WEIGHTS]
    capsys.readouterr()
    assert main(arguments) == 2 and one_complaint(capsys, "--resume", str(tmp_path))
    arguments.append("--resume")
    assert main([*arguments, "--batch-size", "4"]) == 2 and one_complaint(capsys, "batch_size")
    assert main([*arguments, "--text-lr", "1e-3", "--seed", "3"]) == 2 and one_complaint(capsys, "seed, text_lr")
    assert main([*arguments, "--pooling", "cls"]) == 2 and one_complaint(capsys, "pooling")
    assert main([*arguments, "--text-model", "new"]) == 2 and one_complaint(capsys, "backbones")
    other_kind = ["train", "clip", "--language", "zh", "--start", arguments[7], *arguments[2:6], *arguments[8:]]
    other_kind = [*other_kind[: other_kind.index("--text-model")], "--out", str(tmp_path), "--resume"]
    assert main(other_kind) == 2 and one_complaint(capsys, "frozen", "locked")
    assert main(arguments) == 0  # nothing left to do
    assert [(tmp_path / file).read_bytes() for file in WEIGHTS] == weights
    assert len(json.loads((tmp_path / "history.json").read_text())["losses"]) == 12


def test_a_run_goes_on_with_the_same_captions_alone(
    chinese_folder, bundle_folder, small_bert, tmp_path, capsys
) -> None:
    """The pictures are the same, and yet the weights at the end would be those of neither run."""
    data, out = shutil.copytree(chinese_folder, tmp_path / "data"), tmp_path / "out"
    arguments = ["train", "lit", "--data", data, "--split-list", data / "splits.csv", "--image-tower", bundle_folder]
    arguments = [*map(str, [*arguments, "--text-model", small_bert, "--epochs", 1, "--batch-size", 8, "--out", out])]
    assert main(arguments) == main([*arguments, "--resume"]) == 0
    captions = (data / "captions.csv").read_text(encoding="utf-8")
    (data / "captions.csv").write_text(captions.replace("红", "蓝"), encoding="utf-8")
    capsys.readouterr()
    assert main([*arguments, "--resume"]) == 2 and one_complaint(capsys, str(out), "captions")
