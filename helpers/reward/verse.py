"""A poem model that is rewarded: of its poems for a picture those come oftener that fit it and hold together.

What learns is the mapping that lets the poem model see the picture (`helpers.captioning.verse_prefix`); the poem model
itself stays as it is. Poems are drawn under the rules of verse, so what is made likelier is what the rules allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import LogitsProcessor

from helpers.captioning import VersePrefix, prefixed_logits
from helpers.chinese_clip import ImageTextEncoder
from helpers.clip import Pair, PairBatches
from helpers.keywords import word_bias
from helpers.options import PoemOptions, RewardTrainingConfig
from helpers.poems import SMALLEST, TEMPERATURE, Drafts, Poem, PoemReader, PoemWriter, encode, pad, source_text
from helpers.reward.critics import critic_names
from helpers.reward.reinforce import leave_one_out, policy_loss, scaled, token_log_probs
from helpers.storage import array_digest, digest, weights_digest
from helpers.training import Figures, Progress, Task, fit_and_save, make_accelerator, open_run, parameter_groups

VERSE_CRITICS = ("clip", "reader", "lm")
LINES = 4


class PicturesWithWords(NamedTuple):
    """Pictures, and the words that a poem for each is told, in the order of the lines."""

    image_embeds: np.ndarray  # (N, D)
    words: Sequence[Sequence[str]]  # (N,)


class Recorded(LogitsProcessor):
    """Rules of a line, and what they allowed at each step."""

    def __init__(self, rules: LogitsProcessor) -> None:
        self.rules = rules
        self.allowed: list[Tensor] = []  # T times (B, V)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        scores = self.rules(input_ids, scores)
        self.allowed.append(scores.isfinite())
        return scores

    @property
    def refused(self) -> Sequence[str | None]:
        return self.rules.refused


class RecordingWriter(PoemWriter):
    """A writer that keeps what the rules allowed in each of its lines, as `records`."""

    records: list[Recorded]

    def rules(self, drafts: Drafts, options: PoemOptions) -> LogitsProcessor:
        if not drafts.written:
            self.records = []
        self.records.append(Recorded(super().rules(drafts, options)))
        return self.records[-1]


class VerseCritics:
    """Opinions of poems: how much like its picture, how well the lines go together, how likely without the picture."""

    def __init__(
        self,
        names: str,
        encoder: ImageTextEncoder,
        reference_embeds: np.ndarray,
        reader: PoemReader,
        writer: PoemWriter,
    ) -> None:
        """ValueError for a name that there is not. `reference_embeds` (R, D): pictures of all kinds."""
        self.names = critic_names(names, VERSE_CRITICS, " of verse")
        self.encoder, self.reference_embeds, self.reader, self.writer = encoder, reference_embeds, reader, writer

    def __call__(self, image_embeds: np.ndarray, poems: Sequence[Poem]) -> dict[str, np.ndarray]:
        """B pictures (B, D) and a poem each -> (B,) for each critic."""
        opinions = {"clip": self.fit, "reader": self.coherence, "lm": self.likelihood}
        return {name: opinions[name](image_embeds, poems) for name in self.names}

    def fit(self, image_embeds: np.ndarray, poems: Sequence[Poem]) -> np.ndarray:
        texts = self.encoder.encode_texts(["，".join(poem.lines) for poem in poems])  # (B, D)
        return (texts * image_embeds).sum(1) - word_bias(texts, self.reference_embeds)

    def coherence(self, image_embeds: np.ndarray, poems: Sequence[Poem]) -> np.ndarray:
        return self.reader.coherence([poem.lines for poem in poems])

    def likelihood(self, image_embeds: np.ndarray, poems: Sequence[Poem]) -> np.ndarray:
        words, lines = [poem.keywords for poem in poems], [poem.lines for poem in poems]
        return self.writer.log_likelihoods(words, lines).numpy()


class RewardedVerse(nn.Module):
    """A mapping in front of a poem model that does not learn, and what its poems are worth."""

    def __init__(
        self, prefix: VersePrefix, writer: PoemWriter, critics: VerseCritics, words: Sequence[Sequence[str]],
        config: RewardTrainingConfig,
    ) -> None:  # fmt: skip
        super().__init__()
        self.prefix, self.critics, self.words, self.config = prefix, critics, words, config
        self.writer = RecordingWriter(writer.model.requires_grad_(False), writer.tokenizer)

    def draw(self, image_embeds: Tensor, words: Sequence[Sequence[str]], seed: int, n: int) -> list[Poem]:
        """n poems for each of N pictures (N, D), row by row."""
        with torch.no_grad():
            prefixes = self.prefix(image_embeds)
        rows = self.writer.write_batch(words, PoemOptions(n=n, seed=seed), prefixes=prefixes)
        return [poem for row in rows for poem in row]

    def log_probs(self, image_embeds: Tensor, poems: Sequence[Poem]) -> tuple[Tensor, Tensor]:
        """Of the tokens of the poems just drawn, among what was allowed, and which count: (4 B, T) both."""
        prefixes = self.prefix(image_embeds)  # (B, k, W)
        found = [self._line_log_probs(prefixes, poems, number) for number in range(LINES)]
        return torch.cat([row for row, _ in found]), torch.cat([mask for _, mask in found])

    def _line_log_probs(self, prefixes: Tensor, poems: Sequence[Poem], number: int) -> tuple[Tensor, Tensor]:
        tokenizer, device = self.writer.tokenizer, prefixes.device
        sources = [source_text(poem.keywords, poem.lines[:number], len(poem.lines[0])) for poem in poems]
        ids = pad(encode(tokenizer, sources), tokenizer.pad_token_id).to(device)  # (B, S)
        lines = pad(encode(tokenizer, [poem.lines[number] for poem in poems]), tokenizer.pad_token_id)
        lines = lines.to(device)  # (B, T), of equal length; the end token after them is no choice
        real = (ids != tokenizer.pad_token_id).long()
        logits = prefixed_logits(self.writer.model, prefixes, ids, real, lines).float()  # (B, T, V)
        allowed = torch.stack(self.writer.records[number].allowed[: lines.shape[1]], 1).to(logits.device)  # (B, T, V)
        logits = (logits / TEMPERATURE).masked_fill(~allowed, -torch.inf)
        cut = logits.detach().amax(-1, keepdim=True) + np.log(SMALLEST)  # min-p, as it was drawn
        log_p = token_log_probs(logits.masked_fill(logits < cut, -torch.inf), lines)
        counts = log_p.detach().isfinite()  # at the cut, rounding may have gone the other way
        return log_p.masked_fill(~counts, 0), counts

    def forward(self, image_embeds: Tensor, pictures: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Pictures (N, D) and their rows (N,) of the training set -> the loss, and the critics' mean opinions."""
        n, words = self.config.draws, [self.words[row] for row in pictures.tolist()]
        seed = int(torch.randint(2**31, (1,)))  # of torch's generator, which a checkpoint keeps
        poems = self.draw(image_embeds, words, seed, n)
        many = image_embeds.repeat_interleave(n, 0)
        opinions = self.critics(many.cpu().float().numpy(), poems)
        better = sum(
            scaled(leave_one_out(torch.from_numpy(np.asarray(row)).float().view(-1, n))) for row in opinions.values()
        )
        log_probs, mask = self.log_probs(many, poems)
        advantages = better.flatten().to(log_probs.device).repeat(LINES)
        return policy_loss(log_probs, mask, advantages), {name: float(row.mean()) for name, row in opinions.items()}


class RewardedPictures(Dataset):
    """Examples: a picture, and which it is."""

    def __init__(self, image_embeds: np.ndarray) -> None:
        self.image_embeds = torch.as_tensor(image_embeds, dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.image_embeds)

    def __getitems__(self, pairs: list[Pair]) -> dict[str, Tensor]:
        """image_embeds (B, D), pictures (B,)."""
        rows = torch.tensor([pair.picture for pair in pairs])
        return {"image_embeds": self.image_embeds[rows], "pictures": rows}


class VerseRewardTask(Task):
    """To write what fits the picture and holds together."""

    def __init__(
        self, model: RewardedVerse, train: PicturesWithWords, val: PicturesWithWords, config: RewardTrainingConfig
    ) -> None:
        self.model, self.val, self.config = model, val, config
        self.data = RewardedPictures(train.image_embeds)
        counts = [config.captions_per_image] * len(train.image_embeds)
        self.batches = PairBatches(counts, config.batch_size, config.captions_per_image, config.seed)

    def parameter_groups(self) -> list[dict]:
        return parameter_groups([(self.model.prefix.parameters(), self.config.lr)], self.config.weight_decay)

    def loss(self, outputs: tuple[Tensor, dict[str, float]]) -> Tensor:
        return outputs[0]

    def validate(self) -> Figures:
        """The critics' mean opinions of one poem for each held-out picture."""
        embeds = torch.as_tensor(self.val.image_embeds, dtype=torch.float32, device=self.model.prefix.device)
        poems = self.model.draw(embeds, self.val.words, seed=0, n=1)
        return {name: float(row.mean()) for name, row in self.model.critics(self.val.image_embeds, poems).items()}


def train_verse_reward(
    prefix: VersePrefix, writer: PoemWriter, critics: VerseCritics, train: PicturesWithWords, val: PicturesWithWords,
    config: RewardTrainingConfig, folder: Path, *, resume: bool = False, device: str = "auto",
) -> Progress:  # fmt: skip
    """Begin or, with `resume`, go on with a run in `folder`, where the rewarded mapping ends up too."""
    accelerator = make_accelerator(device)
    settings = {
        "pictures": array_digest(train.image_embeds),
        "words": digest(" ".join(row) for row in train.words),
        "start": weights_digest(prefix),
        "writer": weights_digest(writer.model),
        "encoder": critics.encoder.fingerprint,
        **asdict(config),
    }
    open_run(accelerator, folder, settings, resume)
    model = RewardedVerse(prefix, writer, critics, train.words, config).to(accelerator.device)
    task = VerseRewardTask(model, train, val, config)
    return fit_and_save(accelerator, task, config, folder, lambda: prefix.save_pretrained(folder))
