"""Pairs of a picture and a caption, in batches: which go together, and what a model gets to see of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset, Sampler
from torchvision.transforms import v2

from helpers.clip.processor import ImageTextProcessor


class Pair(NamedTuple):
    picture: int
    caption: int  # among the captions of that picture
    seed: int  # of whatever is random in how the picture is shown


class PairBatches(Sampler[list[Pair]]):
    """The batches of an epoch: each picture comes `captions_per_image` times, and never twice in one batch.

    Two captions of one picture in a batch would count as each other's negatives, though both are right. The order
    follows from the seed and the epoch alone, so that a resumed run goes on with the batch that would have come next.
    With several processes each gets its share of every batch.
    """

    def __init__(
        self,
        captions: Sequence[int],
        batch_size: int,
        captions_per_image: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        """`captions` (N,): how many each picture has; the first `captions_per_image` of them are used."""
        if batch_size > len(captions):
            raise ValueError(f"a batch of {batch_size} needs as many pictures, and there are {len(captions)}")
        if batch_size % world:
            raise ValueError(f"a batch of {batch_size} cannot be shared by {world} processes")
        self.captions = np.minimum(captions, captions_per_image)  # (N,)
        self.batch_size, self.passes, self.seed = batch_size, captions_per_image, seed
        self.rank, self.world = rank, world
        self.epoch = self.skip = 0

    def __len__(self) -> int:
        """Batches in a whole epoch; what is left over at the end of a pass waits for another epoch's order."""
        return self.passes * (len(self.captions) // self.batch_size)

    def start_at(self, epoch: int, skip: int = 0) -> None:
        """The next iteration is that of `epoch`, without its first `skip` batches."""
        self.epoch, self.skip = epoch, skip

    def __iter__(self) -> Iterator[list[Pair]]:
        rng = np.random.default_rng([self.seed, self.epoch])
        turn = rng.permuted(np.tile(np.arange(self.passes), (len(self.captions), 1)), axis=1)  # (N, passes)
        caption = turn % self.captions[:, None]
        per_pass = len(self.captions) // self.batch_size
        orders = [rng.permutation(len(self.captions)) for _ in range(self.passes)]
        seeds = rng.integers(2**63, size=(self.passes, len(self.captions)))
        for batch in range(self.skip, len(self)):
            number, start = batch // per_pass, batch % per_pass * self.batch_size
            pictures = orders[number][start : start + self.batch_size][self.rank :: self.world]
            yield [Pair(int(p), int(caption[p, number]), int(seeds[number, p])) for p in pictures]


class PicturePairs(Dataset):
    """Examples for fine-tuned towers: pixels of pictures slightly cropped and sometimes mirrored, and tokens."""

    def __init__(
        self, processor: ImageTextProcessor, pictures: Sequence[Image.Image], captions: Sequence[Sequence[str]]
    ) -> None:
        """`pictures` (N,), `captions` (N,) of several each."""
        self.processor, self.pictures, self.captions = processor, pictures, captions
        self.augment = v2.Compose([
            v2.RandomResizedCrop(processor.image_processor.size, scale=(0.6, 1.0), ratio=(3 / 4, 4 / 3)),
            v2.RandomHorizontalFlip(),
        ])  # fmt: skip

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitems__(self, pairs: list[Pair]) -> dict[str, torch.Tensor]:
        """pixel_values (B, 3, S, S), input_ids and attention_mask (B, T)."""
        views = [self._view(pair) for pair in pairs]
        tokens = self.processor.tokens([self.captions[pair.picture][pair.caption] for pair in pairs])
        return {"pixel_values": self.processor.image_processor.normalise(views), **tokens}

    def _view(self, pair: Pair) -> Image.Image:
        with torch.random.fork_rng(devices=[]):  # the same picture in any process, and after a restart
            torch.manual_seed(pair.seed)
            return self.augment(self.pictures[pair.picture])


class FeaturePairs(Dataset):
    """Examples for projection heads: stored features of the picture, or of its mirror image, and of the caption."""

    def __init__(self, image_features: np.ndarray, text_features: np.ndarray, owners: np.ndarray) -> None:
        """`image_features` (N, 2, F), `text_features` (M, F), and `owners` (M,), sorted: whose caption each text is."""
        self.image_features, self.text_features = torch.from_numpy(image_features), torch.from_numpy(text_features)
        self.first = np.searchsorted(owners, np.arange(len(image_features)))  # (N,) each picture's first text

    def __len__(self) -> int:
        return len(self.image_features)

    def __getitems__(self, pairs: list[Pair]) -> dict[str, torch.Tensor]:
        """image_features and text_features, (B, F) each."""
        texts = [self.first[pair.picture] + pair.caption for pair in pairs]
        return {"image_features": views(self.image_features, pairs), "text_features": self.text_features[texts]}


class LockedPairs(Dataset):
    """Examples for a BertCLIP: stored features of the picture, or of its mirror image, and tokens."""

    def __init__(
        self, processor: ImageTextProcessor, image_features: np.ndarray, captions: Sequence[Sequence[str]]
    ) -> None:
        """`image_features` (N, 2, F), `captions` (N,)."""
        self.processor, self.image_features, self.captions = processor, torch.from_numpy(image_features), captions

    def __len__(self) -> int:
        return len(self.captions)

    def __getitems__(self, pairs: list[Pair]) -> dict[str, torch.Tensor]:
        """image_features (B, F), input_ids and attention_mask (B, T)."""
        tokens = self.processor.tokens([self.captions[pair.picture][pair.caption] for pair in pairs])
        return {"image_features": views(self.image_features, pairs), **tokens}


def views(image_features: torch.Tensor, pairs: list[Pair]) -> torch.Tensor:
    """Each pair's picture or, by its seed, the mirror image: features (N, 2, F) -> (B, F)."""
    return image_features[[pair.picture for pair in pairs], [pair.seed % 2 for pair in pairs]]
