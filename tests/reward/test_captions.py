"""reward.captions: what is rewarded comes oftener, cross-entropy alone is plain training, draws and their gradient."""

from dataclasses import replace

import pytest
import torch

from helpers.captioning import GREEDY, Captioner
from helpers.options import RewardTrainingConfig
from helpers.reward import ClipCritic, Rewarded, make_critics, reward_figures, token_log_probs, train_reward

pytestmark = pytest.mark.usefixtures("one_thread")
CONFIG = RewardTrainingConfig(epochs=12, batch_size=4, captions_per_image=1, lr=5e-3, draws=8, ce_weight=0, warmup=0)


def counts(captioner, captioned) -> int:
    return sum(text.count("小") for text in captioner.caption_embeds(captioned.image_embeds, GREEDY))


class Small:
    """A critic that likes one character, whatever the picture."""

    def __call__(self, drawn) -> torch.Tensor:
        return torch.tensor([float(text.count("小")) for text in drawn.texts])


@pytest.mark.parametrize("baseline", ["leave-one-out", "greedy"])
def test_what_is_rewarded_comes_oftener(captioner, captioned, baseline) -> None:
    """Alone in the loss it takes over: in the end the captions are little else."""
    model = Rewarded(captioner, {"small": Small()}, replace(CONFIG, baseline=baseline)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    batch = {
        "image_embeds": torch.from_numpy(captioned.image_embeds),
        "pictures": torch.arange(4),
        "input_ids": torch.ones(4, 1, dtype=torch.long),
        "attention_mask": torch.ones(4, 1, dtype=torch.long),
    }
    before, first = counts(captioner, captioned), None
    torch.manual_seed(0)
    for _ in range(80):
        output = model(**batch)
        first = output.reward.item() if first is None else first
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    model.eval()
    assert output.reward.item() > 3 * first and counts(captioner, captioned) > before + 8


def test_a_draw_has_no_gradient_and_leaves_the_mode(captioner, captioned, encoder) -> None:
    critics = make_critics("clip", encoder, captioner.model, captioner.tokenizer.eos_token_id, captioned)
    model = Rewarded(captioner, critics, CONFIG).train()
    embeds = torch.from_numpy(captioned.image_embeds)
    drawn = model.draw(embeds, torch.arange(4), GREEDY)
    assert model.model.training and not drawn.tokens.is_inference()
    assert list(drawn.texts) == captioner.caption_embeds(captioned.image_embeds, GREEDY)
    model.eval()
    logits = model.model(embeds, drawn.tokens, drawn.mask.long()).logits
    best = logits.argmax(-1)
    assert torch.equal(best[drawn.mask], drawn.tokens[drawn.mask])  # the logits are those that it was drawn from
    assert token_log_probs(logits, drawn.tokens).requires_grad


def test_without_critics_it_is_plain_training(captioner, captioned, encoder, tmp_path) -> None:
    config = replace(CONFIG, reward="none", ce_weight=1.0, epochs=3)
    progress = train_reward(captioner, encoder, captioned, captioned, config, tmp_path)
    assert progress.step == 3 and list(progress.epochs[0]) == ["loss", "CIDEr", "reward", "length", "stammering"]
    again = Captioner.from_pretrained(tmp_path)
    judge = ClipCritic.of(encoder, captioned)
    found = reward_figures(again, judge, captioned)
    assert found == pytest.approx({name: progress.epochs[-1][name] for name in found}, abs=1e-3)
    with pytest.raises(ValueError, match="--resume"):
        train_reward(captioner, encoder, captioned, captioned, config, tmp_path)
    with pytest.raises(ValueError, match="reward"):
        other = replace(config, reward="clip")
        train_reward(captioner, encoder, captioned, captioned, other, tmp_path, resume=True)


def test_the_reward_rises(captioner, captioned, encoder, tmp_path) -> None:
    before = reward_figures(captioner, ClipCritic.of(encoder, captioned), captioned)
    progress = train_reward(captioner, encoder, captioned, captioned, replace(CONFIG, epochs=40), tmp_path)
    assert progress.epochs[-1]["reward"] > before["reward"] + 0.05
