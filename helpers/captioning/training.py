"""Training a captioner on stored embeddings: a picture goes through its encoder once, however many epochs there are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.utils.data import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import CausalLMOutput

from helpers.captioning.capdec import Blurred
from helpers.captioning.captioner import GREEDY, Captioner
from helpers.captioning.clipcap import LONGEST
from helpers.captioning.neighbours import CaptionedEmbeds
from helpers.clip import Pair, PairBatches, in_cached_blocks
from helpers.data import CaptionData, flatten
from helpers.metrics import bleu, cider_d
from helpers.options import CaptionTrainingConfig
from helpers.poems import pad
from helpers.storage import array_digest, digest, network_of, save_quantized_pretrained, weights_digest
from helpers.training import Figures, Progress, Task, fit_and_save, make_accelerator, open_run, parameter_groups

if TYPE_CHECKING:
    from helpers.chinese_clip import ImageTextEncoder


class CaptionPairs(Dataset):
    """Examples: the embedding of a picture, and one of its captions as tokens with an end token."""

    def __init__(self, data: CaptionedEmbeds, tokenizer: PreTrainedTokenizerBase) -> None:
        self.image_embeds = torch.as_tensor(data.image_embeds, dtype=torch.float32)
        self.pad_token_id = tokenizer.pad_token_id
        flat, _ = flatten(data.captions)
        ids = tokenizer(flat, add_special_tokens=False, truncation=True, max_length=LONGEST - 1)["input_ids"]
        rows = iter([*row, tokenizer.eos_token_id] for row in ids)
        self.tokens = [[next(rows) for _ in group] for group in data.captions]

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitems__(self, pairs: list[Pair]) -> dict[str, torch.Tensor]:
        """image_embeds (B, D), input_ids and attention_mask (B, T)."""
        rows = [self.tokens[pair.picture][pair.caption] for pair in pairs]
        return {
            "image_embeds": self.image_embeds[[pair.picture for pair in pairs]],
            "input_ids": pad(rows, self.pad_token_id),
            "attention_mask": pad([[1] * len(row) for row in rows], 0),  # an end token may serve as the pad, too
        }


class CaptionTask(Task):
    """The next character of a caption, from the picture and what stands so far."""

    def __init__(
        self, captioner: Captioner, train: CaptionedEmbeds, val: CaptionedEmbeds, config: CaptionTrainingConfig,
        rank: int = 0, world: int = 1,
    ) -> None:  # fmt: skip
        self.captioner, self.val, self.config = captioner, val, config
        self.model = Blurred(captioner.model, config.noise)
        self.data = self.pairs(train)
        counts = [len(group) for group in train.captions]
        self.batches = PairBatches(counts, config.batch_size, config.captions_per_image, config.seed, rank, world)
        if config.freeze_decoder:
            captioner.model.decoder.requires_grad_(False)

    def pairs(self, train: CaptionedEmbeds) -> Dataset:
        """What a batch is made of."""
        return CaptionPairs(train, self.captioner.tokenizer)

    def parameter_groups(self) -> list[dict]:
        learning = [p for p in self.model.parameters() if p.requires_grad]
        return parameter_groups([(learning, self.config.lr)], self.config.weight_decay)

    def loss(self, outputs: CausalLMOutput) -> torch.Tensor:
        return outputs.loss

    def validate(self) -> Figures:
        """Of the likeliest captions of the held-out pictures."""
        self.model.eval()
        captions = self.captioner.caption_embeds(self.val.image_embeds, GREEDY)
        return {
            "CIDEr": 100 * float(cider_d(captions, self.val.captions).mean()),
            "BLEU-4": 100 * bleu(captions, self.val.captions)[3],
        }


def embed_captioned(encoder: ImageTextEncoder, data: CaptionData, language: str = "zh") -> CaptionedEmbeds:
    """A set as its encoder sees it; by the thousand from the cache, as far as the pictures are there."""
    key = digest(["embeds", encoder.fingerprint, data.source])
    return CaptionedEmbeds(in_cached_blocks(key, encoder.encode_images, data.pictures), data.in_language(language))


def train_captioner(
    captioner: Captioner,
    train: CaptionedEmbeds,
    val: CaptionedEmbeds,
    config: CaptionTrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    task_class: type[CaptionTask] = CaptionTask,
) -> Progress:
    """Begin or, with `resume`, go on with a run in `folder`, where the trained captioner ends up too.

    Raises ValueError where going on would lose or mix up something.
    """
    accelerator = make_accelerator(device)
    open_run(accelerator, folder, run_settings(captioner, train, config, accelerator.num_processes), resume)
    captioner.model.to(accelerator.device)
    task = task_class(captioner, train, val, config, accelerator.process_index, accelerator.num_processes)
    return fit_and_save(
        accelerator, task, config, folder,
        lambda: save_captioner(captioner.model.to("cpu").eval(), captioner.tokenizer, folder),
    )  # fmt: skip


def save_captioner(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, quantized: bool = False
) -> None:
    """Write a folder that `Captioner.from_pretrained` reads, in eight bits if `quantized`."""
    if quantized:
        save_quantized_pretrained(model, folder)
    else:
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def run_settings(
    captioner: Captioner, train: CaptionedEmbeds, config: CaptionTrainingConfig, processes: int
) -> dict[str, object]:
    """All that the weights at the end depend on."""
    texts, _ = flatten(train.captions)
    return {
        "pictures": array_digest(train.image_embeds),
        "captions": digest(texts),
        "network": network_of(captioner.model),
        "start": weights_digest(captioner.model),
        "processes": processes,
        **asdict(config),
    }
