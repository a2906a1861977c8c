"""captioning.verse_prefix: a picture in front of a poem model, which stays as it is and keeps the rules of verse."""

import numpy as np
import pytest
import torch

from helpers.captioning import PicturesWithVerse, VersePrefix, VersePrefixConfig, train_verse_prefix
from helpers.options import CaptionTrainingConfig, PoemOptions
from helpers.poems import PoemWriter, character_tokenizer
from helpers.storage import load_pretrained, save_quantized_pretrained
from helpers.verse import check_poem
from tests.samples import CHARACTERS, tiny_t5

pytestmark = pytest.mark.usefixtures("one_thread")
POEMS = [
    ["白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼"],
    ["千山鸟飞绝", "万径人踪灭", "孤舟蓑笠翁", "独钓寒江雪"],
]
CONFIG = CaptionTrainingConfig(epochs=40, batch_size=2, captions_per_image=4, lr=1e-2)


@pytest.fixture(scope="module")
def writer() -> PoemWriter:
    characters = sorted({*CHARACTERS, *"".join(line for poem in POEMS for line in poem)})
    tokenizer = character_tokenizer(characters)
    torch.manual_seed(0)
    return PoemWriter(tiny_t5(len(tokenizer)), tokenizer)


@pytest.fixture(scope="module")
def data() -> PicturesWithVerse:
    embeds = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    return PicturesWithVerse(embeds, [[poem] for poem in POEMS])


def test_only_the_prefix_learns_and_the_picture_tells(writer, data, tmp_path) -> None:
    before = {name: tensor.clone() for name, tensor in writer.model.state_dict().items()}
    prefix, progress = train_verse_prefix(writer, data, data, CONFIG, tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in writer.model.state_dict().items())
    assert progress.losses[-1] < progress.losses[0]
    last = progress.epochs[-1]
    assert last["loss, own picture"] < last["another's"]
    with pytest.raises(ValueError, match="--resume"):
        train_verse_prefix(writer, data, data, CONFIG, tmp_path)
    save_quantized_pretrained(prefix, tmp_path / "small")
    images = torch.from_numpy(data.image_embeds)
    again = load_pretrained(VersePrefix, tmp_path / "small")(images)
    torch.testing.assert_close(again, prefix(images), atol=0.1, rtol=0.05)


def test_a_poem_from_a_prefix_alone(writer) -> None:
    prefix = VersePrefix(VersePrefixConfig(8, writer.model.config.d_model, 3)).eval()
    with torch.no_grad():
        vectors = 30 * prefix(torch.randn(2, 8))
    assert vectors.shape == (2, 3, writer.model.config.d_model)
    options = PoemOptions("5x4", n=2, keyword_per_line=False)
    poems = writer.write_batch([(), ()], options, prefixes=vectors)
    assert [len(row) for row in poems] == [2, 2]
    assert all(check_poem(poem.lines)["form"] == "5x4" for row in poems for poem in row)
    alone = writer.write_batch([()], options, prefixes=vectors[:1])
    assert [poem.lines for poem in alone[0]] == [poem.lines for poem in poems[0]]  # whatever else is in the batch
    assert writer.write_batch([()], options, prefixes=-vectors[:1])[0] != alone[0]
    with pytest.raises(ValueError, match="at least one keyword"):
        writer.write_batch([()], options)


def test_couplets_are_told_one_by_one(writer, tmp_path) -> None:
    """Two lines each; the second couplet of a quatrain is told behind the first, which is given."""
    embeds = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    couplets = PicturesWithVerse(embeds, [[poem[:end]] for poem in POEMS for end in (2, 4)], told=2)
    config = CaptionTrainingConfig(epochs=30, batch_size=2, captions_per_image=2, lr=1e-2, noise=0.001)
    _, progress = train_verse_prefix(writer, couplets, couplets, config, tmp_path)
    assert progress.step == 30 * 2 * (4 // 2)  # two lines of four couplets, two at a time
    last = progress.epochs[-1]
    assert last["loss, own picture"] < last["another's"]
