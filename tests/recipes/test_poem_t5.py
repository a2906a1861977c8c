"""recipes.poem_t5: poems that are alike, and the loss that asks whose line it is, by a plain loop."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file
from transformers import T5Config

from helpers.poems import FRAGMENT, Quatrain, character_tokenizer, collate, tokenize, write_ccpc
from helpers.verse import enforced, tone_pattern
from recipes.poem_t5 import train_base
from recipes.poem_t5.alike import AlikePoems
from recipes.poem_t5.export import mean_weights
from recipes.poem_t5.train_base import new_model, next_line_loss, whose_line
from tests.samples import AUTUMN, BAIDI, CHARACTERS, HERON_TOWER, MAPLE_BRIDGE


def rhyming(head: str, last: str) -> Quatrain:
    return Quatrain((*HERON_TOWER[:3], head + last))


def test_poems_of_a_batch_are_alike() -> None:
    """In length, rhyme group and the tone of the second place; those of rarer kinds are never drawn."""
    level, oblique = [rhyming("春山一片", char) for char in "楼秋流"], [rhyming("春水一片", char) for char in "楼秋流"]
    alike = AlikePoems([*level, *oblique, Quatrain(BAIDI)], size=3, seed=0)
    assert len(alike) == 6
    seen = set()
    for step in range(40):
        number, poems = alike.batch(step)
        seen.add((number, poems[0].lines[3][1]))
        assert len({enforced().groups(poem.lines[3][-1], "level") for poem in poems}) == 1
        assert len({tone_pattern(poem.lines[3][:2])[1] for poem in poems}) == 1
        assert len(set(poems)) == 3
    assert seen == {(number, char) for number in (1, 2, 3) for char in "山水"}
    assert alike.batch(7) == alike.batch(7)


def test_too_few_poems_are_alike() -> None:
    with pytest.raises(ValueError, match="not 3 poems whose last lines are alike"):
        AlikePoems([rhyming("春山一片", "楼"), rhyming("春水一片", "秋")], size=3, seed=0)


def test_whose_line() -> None:
    alike = AlikePoems([rhyming("春山一片", char) for char in "楼秋流"], size=3, seed=0)
    for step in range(10):
        number, poems = alike.batch(step)
        before = "".join(f"{line}</s>" for line in HERON_TOWER[:number])
        expected = [(f"五律{number + 1}:</s>{before}", f"{poem.lines[number]}</s>") for poem in poems]
        assert whose_line(FRAGMENT, alike, step) == expected


@pytest.mark.parametrize("others", [1, 3])
def test_the_loss_asks_for_the_line_and_whose_it_is(others: int) -> None:
    """Each line behind its own source and behind the sources of other rows, one pair at a time."""
    torch.manual_seed(0)
    tokenizer = character_tokenizer(sorted(set(CHARACTERS)))
    model = new_model(tokenizer, T5Config(d_model=16, d_kv=8, num_heads=2, d_ff=32), (1, 1)).eval()
    pairs = [
        (f"五绝2:</s>{poem[0][:5]}</s>", f"{poem[1][:5]}</s>") for poem in (AUTUMN, BAIDI, HERON_TOWER, MAPLE_BRIDGE)
    ]
    loss = next_line_loss(model, collate(tokenize(tokenizer, pairs), 0), others)

    def negative(source: int, target: int) -> torch.Tensor:
        """Minus the log-likelihood of a line behind a source."""
        return 6 * model(**collate(tokenize(tokenizer, [(pairs[source][0], pairs[target][1])]), 0)).loss

    stride = 4 // (others + 1)
    by_hand = 0.0
    for row in range(4):
        rivals = torch.stack([-negative((row + k * stride) % 4, row) for k in range(others + 1)])
        by_hand += (negative(row, row) / 6 - (rivals[0] - rivals.logsumexp(0))) / 4
    torch.testing.assert_close(loss, by_hand, atol=1e-4, rtol=1e-4)


def test_the_mean_of_several_models() -> None:
    tokenizer = character_tokenizer(sorted(set(CHARACTERS)))
    models = [new_model(tokenizer, T5Config(d_model=16, d_kv=8, num_heads=2, d_ff=32), (1, 1)) for _ in range(3)]
    mean = mean_weights(models)
    for name, tensor in mean.items():
        torch.testing.assert_close(tensor, sum(model.state_dict()[name] for model in models) / 3)
    assert not torch.equal(mean["shared.weight"], models[0].shared.weight)


def test_every_other_step_asks_whose_line_it_is(tmp_path, monkeypatch) -> None:
    """A run with rivals ends with other weights than one without."""
    poems = [rhyming(f"{char}山一片", last) for char in "春秋" for last in "楼秋流"]
    write_ccpc(poems, tmp_path / "poems_train.json")
    write_ccpc(poems, tmp_path / "fragments.json")
    weights = []
    for rivals in (0, 3):
        out = tmp_path / str(rivals)
        options = {"poems": tmp_path, "steps": 2, "batch-size": 3, "rivals": rivals, "out": out}
        arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        monkeypatch.setattr(sys, "argv", ["train_base", "--layers", "1", "1", *arguments])
        train_base.main()
        weights.append(load_file(out / "model.safetensors")["shared.weight"])
        log = json.loads((out / train_base.LOG).read_text())
        assert log["passes"] == pytest.approx(2 / 6 / (2 if rivals else 1))
    assert not torch.equal(*weights)
