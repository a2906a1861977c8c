"""A captioner that is rewarded: it draws captions, critics score them, and what did better than expected comes oftener.

Rewarded alone, it finds out what pleases the critic and is no caption. So what it learnt from people stays in the loss,
with its cross-entropy.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from helpers.captioning import (
    GREEDY,
    CaptionedEmbeds,
    Captioner,
    CaptionPairs,
    CaptionTask,
    Decoding,
    run_settings,
    save_captioner,
)
from helpers.chinese_clip import ImageTextEncoder
from helpers.clip import Pair
from helpers.metrics import cider_d
from helpers.options import RewardTrainingConfig
from helpers.reward.critics import ClipCritic, Critic, Drawn, make_critics, stammering
from helpers.reward.reinforce import against_greedy, leave_one_out, policy_loss, scaled, token_log_probs, until_end
from helpers.training import Figures, Progress, fit_and_save, make_accelerator, open_run

LONGEST_DRAW = 24  # tokens; few captions have as many, and a captioner that no longer ends costs no more than that
SAMPLES: Decoding = MappingProxyType({"do_sample": True, "top_k": 0, "max_new_tokens": LONGEST_DRAW})  # uncut


def beams(count: int) -> Decoding:
    """The likeliest captions of a picture: near to what is written in the end, where samples stray further off.

    Cornia et al. 2020 (arXiv:1912.08226), section 3.4. A gradient of what is rewarded on average it is not any more.
    """
    return {"num_beams": count, "num_return_sequences": count, "do_sample": False, "max_new_tokens": LONGEST_DRAW}


class RewardedOutput(NamedTuple):
    """Of one batch."""

    loss: Tensor
    reward: Tensor  # mean of all critics' rewards, each in its own unit, by the critics' order


class Rewarded(nn.Module):
    """A captioner, what its draws are worth, and how much people's captions still count."""

    def __init__(self, captioner: Captioner, critics: Mapping[str, Critic], config: RewardTrainingConfig) -> None:
        super().__init__()
        self.captioner, self.model = captioner, captioner.model
        self.critics, self.config = critics, config

    def draw(self, image_embeds: Tensor, pictures: Tensor, decoding: Decoding) -> Drawn:
        """A caption for each picture (B, D), written without dropout and without a gradient."""
        tokenizer, learning = self.captioner.tokenizer, self.model.training
        ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
        self.model.eval()
        tokens = self.model.write(image_embeds, {**ends, **decoding}).clone()  # else inference's, and no gradient
        self.model.train(learning)
        texts = [self.captioner.text(ids) for ids in tokens]
        return Drawn(pictures, image_embeds, tokens, until_end(tokens, tokenizer.eos_token_id), texts)

    def advantages(self, drawn: Drawn, image_embeds: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """k draws for each of N pictures (N, D), (N,) -> advantages (N * k,) and the critics' mean rewards (C,).

        The critics' opinions are brought to one scale and added.
        """
        greedy = self.draw(image_embeds, pictures, GREEDY) if self.config.baseline == "greedy" else None
        total, means = torch.zeros(len(drawn.tokens), device=image_embeds.device), []
        for critic in self.critics.values():
            rewards = critic(drawn).view(len(image_embeds), -1)  # (N, k)
            better = leave_one_out(rewards) if greedy is None else against_greedy(rewards, critic(greedy))
            total += scaled(better).flatten()
            means.append(rewards.mean())
        return total, torch.stack(means) if means else total.new_zeros(0)

    def forward(
        self, image_embeds: Tensor, input_ids: Tensor, attention_mask: Tensor, pictures: Tensor
    ) -> RewardedOutput:
        """Pictures (N, D), a person's caption of each (N, T), their rows (N,) of the training set."""
        taught = self.model(image_embeds, input_ids, attention_mask).loss
        if not self.critics:
            return RewardedOutput(self.config.ce_weight * taught, taught.new_zeros(0))
        many, rows = (each.repeat_interleave(self.config.draws, 0) for each in (image_embeds, pictures))
        if self.config.draw_by == "beam":
            drawn = self.draw(image_embeds, pictures, beams(self.config.draws))._replace(
                image_embeds=many, pictures=rows
            )
        else:
            drawn = self.draw(many, rows, SAMPLES)
        advantages, rewards = self.advantages(drawn, image_embeds, pictures)
        logits = self.model(many, drawn.tokens, drawn.mask.long()).logits  # (N * k, T, V)
        rewarded = policy_loss(token_log_probs(logits, drawn.tokens), drawn.mask, advantages)
        return RewardedOutput(rewarded + self.config.ce_weight * taught, rewards)


class RewardedPairs(CaptionPairs):
    """Examples of a captioner, and whose they are."""

    def __getitems__(self, pairs: list[Pair]) -> dict[str, Tensor]:
        """pictures (B,), besides image_embeds (B, D), input_ids and attention_mask (B, T)."""
        return {**super().__getitems__(pairs), "pictures": torch.tensor([pair.picture for pair in pairs])}


class RewardTask(CaptionTask):
    """To write what the critics like, and what people write."""

    def __init__(
        self, captioner: Captioner, critics: Mapping[str, Critic], judge: ClipCritic, train: CaptionedEmbeds,
        val: CaptionedEmbeds, config: RewardTrainingConfig, rank: int = 0, world: int = 1,
    ) -> None:  # fmt: skip
        """`judge` gives the figure of the held-out pictures; it may be one of the critics, and then proves nothing."""
        super().__init__(captioner, train, val, config, rank, world)
        self.model, self.judge = Rewarded(captioner, critics, config), judge

    def pairs(self, train: CaptionedEmbeds) -> RewardedPairs:
        return RewardedPairs(train, self.captioner.tokenizer)

    def loss(self, outputs: RewardedOutput) -> Tensor:
        return outputs.loss

    def validate(self) -> Figures:
        """Of the likeliest captions of the held-out pictures."""
        self.model.eval()
        return reward_figures(self.captioner, self.judge, self.val)


def reward_figures(captioner: Captioner, critic: ClipCritic, val: CaptionedEmbeds) -> Figures:
    """CIDEr-D (times 100), the critic's mean, characters a caption, and the share, in per cent, that stammers."""
    captions = captioner.caption_embeds(val.image_embeds, GREEDY)
    return {
        "CIDEr": 100 * float(cider_d(captions, val.captions).mean()),
        "reward": float(critic.cosines(val.image_embeds, captions).mean()),
        "length": sum(map(len, captions)) / len(captions),
        "stammering": stammering(captions),
    }


def train_reward(
    captioner: Captioner, encoder: ImageTextEncoder, train: CaptionedEmbeds, val: CaptionedEmbeds,
    config: RewardTrainingConfig, folder: Path, *, resume: bool = False, device: str = "auto",
) -> Progress:  # fmt: skip
    """Begin or, with `resume`, go on with a run in `folder`, where the rewarded captioner ends up too.

    `encoder` is the one whose embeddings the captioner reads, and the critic `clip`. Raises ValueError where going on
    would lose or mix up something, and for rewards that there are not.
    """
    accelerator = make_accelerator(device)
    settings = run_settings(captioner, train, config, accelerator.num_processes)
    open_run(accelerator, folder, {**settings, "encoder": encoder.fingerprint}, resume)
    captioner.model.to(accelerator.device)
    before = deepcopy(captioner.model)
    critics = make_critics(config.reward, encoder, before, captioner.tokenizer.eos_token_id, train)
    judge = critics["clip"] if "clip" in critics else ClipCritic.of(encoder, train)
    rank, world = accelerator.process_index, accelerator.num_processes
    task = RewardTask(captioner, critics, judge, train, val, config, rank, world)
    return fit_and_save(
        accelerator, task, config, folder,
        lambda: save_captioner(captioner.model.to("cpu").eval(), captioner.tokenizer, folder),
    )  # fmt: skip
