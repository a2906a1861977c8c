"""chinese_clip.training: what learns and what does not, features that are computed once, and a kill -9 on the way."""

import json
import shutil
import signal
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from helpers.__main__ import main
from helpers.chinese_clip import from_towers, join_towers, load_image_tower, new_bert, train_lit
from helpers.clip import cached_image_features, image_features, load_clip, tokenizer_json
from helpers.data import CaptionData, LazyPictures, Splits, load_captions
from helpers.options import TrainingConfig
from helpers.storage import weights_digest
from helpers.training import checkpoints
from tests.samples import killed_and_resumed

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
def bert_clip(clip_folder, small_bert):
    torch.manual_seed(1)
    return from_towers(clip_folder, small_bert, dim=32)


@pytest.fixture
def squares(chinese_folder) -> CaptionData:
    """16 pictures to learn."""
    return load_captions(chinese_folder, "train", chinese_folder / "splits.csv")


@pytest.fixture
def splits(squares) -> Splits:
    """Four of them again to validate on."""
    return Splits(squares, squares.first(4), "zh")


CONFIG = TrainingConfig(epochs=2, batch_size=8, save_every=3, text_lr=1e-3)  # 8 steps


# --- what learns ---


def test_it_learns_what_can_be_learnt(bert_clip, squares, tmp_path) -> None:
    config = TrainingConfig(epochs=60, batch_size=8, head_lr=5e-3, text_lr=3e-3)
    progress = train_lit(*bert_clip, Splits(squares, squares, "zh"), config, tmp_path, device="cpu")
    assert progress.step == len(progress.losses) == 240 and len(progress.epochs) == 60
    first, last = progress.epochs[0], progress.epochs[-1]
    assert last["loss"] < first["loss"] / 2
    assert last["t2i R@1"] > 3 * 100 / 16 and last["i2t R@1"] > 3 * 100 / 16  # chance: 6.25 and about 12
    assert json.loads((tmp_path / "history.json").read_text()) == asdict(progress)
    saved, processor = load_clip(tmp_path)
    assert weights_digest(saved) == weights_digest(bert_clip[0]) and saved.config.locked
    assert processor.preparation() == bert_clip[1].preparation() and processor.max_length == bert_clip[1].max_length
    assert tokenizer_json(processor.tokenizer) == tokenizer_json(bert_clip[1].tokenizer)


def test_only_the_image_backbone_stays(bert_clip, splits, tmp_path) -> None:
    model, _ = bert_clip
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train_lit(*bert_clip, splits, CONFIG, tmp_path, device="cpu")
    after = model.state_dict()
    still = {name for name in after if torch.equal(after[name], before[name])}
    locked = {name for name in after if name.startswith("image.backbone.")}
    assert len(locked) > 200 and still == locked
    saved = load_clip(tmp_path)[0].state_dict()
    assert all(torch.equal(saved[name], after[name]) for name in after)
    assert not model.training and not any(parameter.is_inference() for parameter in after.values())


def test_the_rates_are_those_of_the_parts(bert_clip, splits, tmp_path) -> None:
    """Without a rate the BERT stays as it is, and the heads do not."""
    before = {name: tensor.clone() for name, tensor in bert_clip[0].state_dict().items()}
    train_lit(*bert_clip, splits, replace(CONFIG, text_lr=0.0), tmp_path, device="cpu")
    after = bert_clip[0].state_dict()
    still = {name for name in after if torch.equal(after[name], before[name])}
    assert still == {name for name in after if ".backbone." in name}


def test_chunks_give_the_same_losses(bert_clip, splits, tmp_path) -> None:
    model, processor = bert_clip
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    begin = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def losses(chunk_size: int | None) -> list[float]:
        model.load_state_dict(begin)
        config, folder = replace(CONFIG, epochs=1, chunk_size=chunk_size), tmp_path / f"chunks of {chunk_size}"
        return train_lit(model, processor, splits, config, folder, device="cpu", dtype=torch.float32).losses

    assert losses(3) == pytest.approx(losses(None), abs=1e-3)


def test_a_language_without_captions(bert_clip, squares, tmp_path) -> None:
    with pytest.raises(ValueError, match="'en'"):
        train_lit(*bert_clip, Splits(squares, squares, "en"), CONFIG, tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


# --- features are computed once ---


def watched(data: CaptionData, fail_at: int | None = None) -> tuple[CaptionData, list[int]]:
    """The same pictures, the numbers of those that were looked at, and perhaps one that cannot be read."""
    asked = []

    def look(number: int):
        asked.append(number)
        if number == fail_at:
            raise OSError("the machine went off")
        return data.pictures[number]

    return replace(data, pictures=LazyPictures(len(data), look)), asked


def test_pictures_are_looked_at_once(bert_clip, clip_folder, squares, tmp_path) -> None:
    train, asked = watched(squares)
    splits = Splits(train, squares.first(4), "zh")
    train_lit(*bert_clip, splits, CONFIG, tmp_path / "first", device="cpu")
    assert sorted(asked) == [*range(16)]  # whatever the epochs
    model, processor = join_towers(load_image_tower(clip_folder), *new_bert(["红绿蓝黄"], **SMALL), dim=16)
    train_lit(model, processor, splits, CONFIG, tmp_path / "second", device="cpu")
    assert len(asked) == 16  # another BERT and other heads, but the same pictures through the same tower
    with torch.no_grad():
        model.image.backbone.head.norm.bias += 0.1
    train_lit(model, processor, splits, CONFIG, tmp_path / "third", device="cpu")
    assert len(asked) == 32


def test_an_interruption_costs_one_block(bert_clip, squares) -> None:
    broken, asked = watched(squares, fail_at=8)
    with pytest.raises(OSError, match="went off"):
        cached_image_features(*bert_clip, broken, "cpu", block=6)
    assert {*range(6)} < {*asked}
    whole, asked = watched(squares)
    found = cached_image_features(*bert_clip, whole, "cpu", block=6)
    assert sorted(asked) == [*range(6, 16)]  # the second block and the third
    assert found == pytest.approx(image_features(*bert_clip, squares.pictures, "cpu"), abs=1e-5)


def test_a_run_that_fell_over_its_pictures_begins_again(bert_clip, squares, splits, tmp_path) -> None:
    broken, _ = watched(squares, fail_at=8)
    with pytest.raises(OSError, match="went off"):
        train_lit(*bert_clip, Splits(broken, splits.val, "zh"), CONFIG, tmp_path, device="cpu")
    assert train_lit(*bert_clip, splits, CONFIG, tmp_path, device="cpu").step == 8


# --- kill -9 ---


@pytest.fixture
def arguments(chinese_folder, clip_folder) -> list[object]:
    """12 steps in two epochs of 6: 16 pictures, batches of 5, two captions each."""
    data = ["--data", chinese_folder, "--split-list", chinese_folder / "splits.csv", "--image-tower", clip_folder]
    return ["train", "lit", *data, "--epochs", 2, "--batch-size", 5, "--save-every", 3]


WEIGHTS = "model.safetensors"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no kill -9")
@pytest.mark.parametrize("text_model, moment", [("new", "save"), ("small_bert", "step")])
def test_a_killed_run_ends_with_the_same_weights(text_model: str, moment: str, arguments, small_bert, tmp_path) -> None:
    arguments = [*arguments, "--text-model", small_bert if text_model == "small_bert" else text_model]
    whole, killed = killed_and_resumed(arguments, tmp_path, moment)  # of an epoch's 6 steps after 3: in its middle
    histories = [json.loads((folder / "history.json").read_text()) for folder in (whole, killed)]
    assert histories[0] == histories[1] and len(histories[0]["losses"]) == 12
    assert [path.name for path in checkpoints(killed)] == ["step_0000012"]


def one_complaint(capsys, *mentions: str) -> bool:
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return len(lines) == 1 and all(mention in lines[0] for mention in mentions)


def test_runs_are_not_mixed_up(arguments, small_bert, tmp_path, capsys) -> None:
    arguments = [*map(str, [*arguments, "--text-model", small_bert, "--out", tmp_path])]
    assert main(arguments) == 0
    weights = (tmp_path / WEIGHTS).read_bytes()
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
    assert (tmp_path / WEIGHTS).read_bytes() == weights
    assert len(json.loads((tmp_path / "history.json").read_text())["losses"]) == 12


def test_a_run_goes_on_with_the_same_captions_alone(chinese_folder, clip_folder, small_bert, tmp_path, capsys) -> None:
    """The pictures are the same, and yet the weights at the end would be those of neither run."""
    data, out = shutil.copytree(chinese_folder, tmp_path / "data"), tmp_path / "out"
    arguments = ["train", "lit", "--data", data, "--split-list", data / "splits.csv", "--image-tower", clip_folder]
    arguments = [*map(str, [*arguments, "--text-model", small_bert, "--epochs", 1, "--batch-size", 8, "--out", out])]
    assert main(arguments) == main([*arguments, "--resume"]) == 0
    captions = (data / "captions.csv").read_text(encoding="utf-8")
    (data / "captions.csv").write_text(captions.replace("红", "蓝"), encoding="utf-8")
    capsys.readouterr()
    assert main([*arguments, "--resume"]) == 2 and one_complaint(capsys, str(out), "captions")
