"""Critics of captions: what a drawn caption is rewarded for.

`clip`: an image-text model finds it like its picture (Cho et al. 2022, arXiv:2205.13115). `cider`: it is like what
people said of the picture. `lm`: the captioner as it was before finds it likely. `plain`: it ends, and says nothing
twice. `none` is for a control: no reward at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from helpers.keywords import unit
from helpers.metrics import CiderD, ngrams
from helpers.reward.reinforce import token_log_probs

if TYPE_CHECKING:
    from helpers.captioning import CaptionedEmbeds, ClipCaptioner
    from helpers.chinese_clip import ImageTextEncoder

CRITICS = ("clip", "cider", "lm", "plain")
NONE = "none"


class Drawn(NamedTuple):
    """B captions that the model drew."""

    pictures: Tensor  # (B,) rows of the training set
    image_embeds: Tensor  # (B, D)
    tokens: Tensor  # (B, T)
    mask: Tensor  # (B, T) of the tokens that were chosen
    texts: Sequence[str]  # (B,)


class Critic(Protocol):
    def __call__(self, drawn: Drawn) -> Tensor:
        """A reward for each of B captions, (B,): the higher the better."""


class ClipCritic:
    """The centred cosine of caption and picture: each about the mean of its kind, so that 0 is a chance pair's."""

    def __init__(self, encoder: ImageTextEncoder, image_mean: np.ndarray, text_mean: np.ndarray) -> None:
        """The means (D,) of the training pictures and of their captions."""
        self.encoder, self.image_mean, self.text_mean = encoder, image_mean, text_mean

    @classmethod
    def of(cls, encoder: ImageTextEncoder, train: CaptionedEmbeds) -> ClipCritic:
        """With the means of a set whose pictures this encoder has embedded."""
        firsts = encoder.encode_texts([group[0] for group in train.captions], cache=True)
        return cls(encoder, train.image_embeds.mean(0), firsts.mean(0))

    def cosines(self, image_embeds: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """B pictures (B, D) and a text for each -> (B,). What was drawn twice is encoded once."""
        rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        embeds = unit(self.encoder.encode_texts(list(rows)) - self.text_mean)[[rows[text] for text in texts]]  # (B, D)
        return (unit(image_embeds - self.image_mean) * embeds).sum(1)

    def __call__(self, drawn: Drawn) -> Tensor:
        cosines = self.cosines(drawn.image_embeds.cpu().float().numpy(), drawn.texts)
        return torch.as_tensor(cosines, device=drawn.tokens.device)


class CiderCritic:
    """CIDEr-D against people's captions of the training pictures (Rennie et al. 2017)."""

    def __init__(self, train: CaptionedEmbeds) -> None:
        self.cider = CiderD(train.captions)

    def __call__(self, drawn: Drawn) -> Tensor:
        scores = self.cider.scores(drawn.texts, drawn.pictures.tolist())
        return torch.as_tensor(scores, dtype=torch.float32, device=drawn.tokens.device)


class LikelihoodCritic:
    """Mean log-probability of a token under the captioner before it was rewarded: a leash (nats)."""

    def __init__(self, before: ClipCaptioner) -> None:
        self.before = before.eval().requires_grad_(False)

    @torch.no_grad()
    def __call__(self, drawn: Drawn) -> Tensor:
        logits = self.before(drawn.image_embeds, drawn.tokens, drawn.mask.long()).logits
        return (token_log_probs(logits, drawn.tokens) * drawn.mask).sum(1) / drawn.mask.sum(1)


class PlainCritic:
    """Minus the faults that a reader sees at once: pairs of characters said again, and no end."""

    def __init__(self, eos_token_id: int) -> None:
        self.eos_token_id = eos_token_id

    def __call__(self, drawn: Drawn) -> Tensor:
        endless = (drawn.tokens != self.eos_token_id).all(1)
        repeats = torch.tensor([repeated_pairs(text) for text in drawn.texts], device=drawn.tokens.device)
        return -(repeats + endless).float()


def repeated_pairs(text: str) -> int:
    """How many pairs of neighbouring characters stand there once more than once: 2 for 看海看海看海."""
    return sum(count - 1 for count in ngrams(text)[1].values())


def stammering(texts: Sequence[str]) -> float:
    """The share, in per cent, of texts that say a pair of characters again."""
    return 100 * sum(repeated_pairs(text) > 0 for text in texts) / len(texts)


def critic_names(names: str, known: Sequence[str], of: str = "") -> list[str]:
    """clip+lm -> ["clip", "lm"], each once; ValueError for a name that is not `known`, a reward `of` what."""
    found = list(dict.fromkeys(names.split("+")))
    if unknown := set(found) - set(known):
        raise ValueError(f"no reward {'+'.join(sorted(unknown))}{of}: choose of {', '.join(known)}, joined by +")
    return found


def make_critics(
    names: str, encoder: ImageTextEncoder, captioner: ClipCaptioner, eos_token_id: int, train: CaptionedEmbeds
) -> dict[str, Critic]:
    """Critics by their names with + between them, as in clip+lm. ValueError for a name that there is not."""
    if names == NONE:
        return {}
    make = {
        "clip": lambda: ClipCritic.of(encoder, train),
        "cider": lambda: CiderCritic(train),
        "lm": lambda: LikelihoodCritic(captioner),
        "plain": lambda: PlainCritic(eos_token_id),
    }
    return {name: make[name]() for name in critic_names(names, CRITICS)}
