"""Where each text belongs in CLIP's space: the text teacher, from two sentence encoders and known word vectors.

    python -m recipes.clip_chinese.teacher --data DATA --features FLICKR.npy WALLPAPERS.npy \
        --bert RUNS/weights/bge-small-zh-v1.5 --out RUNS/text_teacher.safetensors

bge-small-zh knows Chinese, the Universal Sentence Encoder both languages, and neither knows pictures. A bridge (see
`recipes.image_text.bridge`) and a ridge regression take each of them to CLIP's space; every side is centred over the
vocabulary before sides are added, since they share a mean direction that says nothing. Words whose place is known (275
of CLIP's own, 1,434 mapped) are pulled half the way there.

The image features are centred too: without nine tenths of their mean, since the modality gap is no business of words.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import AutoTokenizer

from helpers.chinese_clip import load_bert
from helpers.data import flatten
from recipes.clip_chinese.texts import known_words, photo_captions, training_texts
from recipes.image_text.bridge import sentence_vectors, train_bridge

CENTRE = 0.9  # of the image features' mean is taken away
RIDGE = 3.0
CAPTION_WEIGHT = 0.1  # in the ridge regression: a caption says less of a word than the word's own vector
KNOWN = 0.5  # weight of a known word vector beside the sides


def centred(image_embeds: torch.Tensor, n_flickr: int) -> torch.Tensor:
    """Image features (P, 512), of which the first are Flickr's -> unit vectors about their centre (P, 512)."""
    image_embeds = F.normalize(image_embeds.float(), dim=-1)
    return F.normalize(image_embeds - CENTRE * image_embeds[:n_flickr].mean(0), dim=-1)


def bert_vectors(name: str | Path, texts: Sequence[str], batch: int = 128) -> torch.Tensor:
    """The first token's last state, of unit norm: texts -> (N, 512). Texts of like length go together."""
    tokenizer, bert = AutoTokenizer.from_pretrained(name), load_bert(name).eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors = torch.zeros(len(texts), bert.config.hidden_size)
    with torch.inference_mode():
        for i in range(0, len(order), batch):
            rows = order[i : i + batch]
            tokens = tokenizer(
                [texts[j] for j in rows], padding=True, truncation=True, max_length=60, return_tensors="pt"
            )
            vectors[rows] = bert(**tokens).last_hidden_state[:, 0]
    return F.normalize(vectors, dim=-1)


def ridge(inputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted ridge regression with an intercept: (N, F), (N, D), (N,) -> (F, D), (D,)."""
    share = (weights / weights.sum())[:, None]
    mean_in, mean_out = (share * inputs).sum(0), (share * targets).sum(0)
    weighted = (inputs - mean_in) * weights[:, None]
    gram = weighted.T @ (inputs - mean_in) + RIDGE * torch.eye(inputs.shape[1])
    matrix = torch.linalg.solve(gram, weighted.T @ (targets - mean_out))
    return matrix, mean_out - mean_in @ matrix


class Side:
    """One sentence encoder's way into CLIP's space: the sum of its bridge and its ridge regression."""

    def __init__(
        self, image_embeds: torch.Tensor, n_flickr: int, captions: list[tuple[torch.Tensor, torch.Tensor]],
        words: torch.Tensor, targets: torch.Tensor,
    ) -> None:  # fmt: skip
        """`captions`: for each language sentence vectors (C, F) and their photos (C,); `words` (W, F) -> `targets`."""
        self.bridge = train_bridge(image_embeds, n_flickr, captions, words, targets, steps=220, batch=384)
        inputs = torch.cat([*(vectors for vectors, _ in captions), words])
        outputs = torch.cat([*(image_embeds[owners] for _, owners in captions), targets])
        weights = torch.ones(len(inputs))
        weights[: -len(words)] = CAPTION_WEIGHT
        self.matrix, self.offset = ridge(inputs, outputs, weights)

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """Sentence vectors (N, F) -> unit vectors (N, 512)."""
        with torch.inference_mode():
            straight = F.normalize(vectors @ self.matrix + self.offset, dim=-1)
            return F.normalize(self.bridge(vectors) + straight, dim=-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="with flickr8k/, clip_text/ and captions_zh/")
    parser.add_argument("--features", type=Path, nargs=2, required=True, help="CLIP's, of Flickr8k, of the wallpapers")
    parser.add_argument("--bert", required=True, help="bge-small-zh by hub id or folder")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)

    captions, n_flickr = photo_captions(args.data)
    image_embeds = centred(torch.cat([torch.from_numpy(np.load(path)) for path in args.features]), n_flickr)
    owners_en, owners_zh = (torch.from_numpy(flatten(groups)[1]) for groups in (captions.english, captions.chinese))
    known = {text: torch.from_numpy(place) for text, place in known_words(args.data).items()}
    texts = training_texts(args.data)
    place = {name: torch.stack([known[text] for text in texts[name]]) for name in ("known_en", "known_zh")}
    use = {name: F.normalize(sentence_vectors(group), dim=-1) for name, group in texts.items()}
    bge = {
        name: bert_vectors(args.bert, group) for name, group in texts.items() if not name.endswith(("en", "glosses"))
    }

    side_bge = Side(image_embeds, n_flickr, [(bge["captions_zh"], owners_zh)], bge["known_zh"], place["known_zh"])
    both = torch.cat([use["known_en"], use["known_zh"]]), torch.cat([place["known_en"], place["known_zh"]])
    side_use = Side(image_embeds, n_flickr, [(use["captions_en"], owners_en), (use["captions_zh"], owners_zh)], *both)
    mean_bge, mean_use = side_bge(bge["keywords"]).mean(0), side_use(use["keywords"]).mean(0)
    mean_gloss = side_use(use["glosses"]).mean(0)

    def chinese_place(name: str) -> torch.Tensor:
        sides = [
            F.normalize(side_bge(bge[name]) - mean_bge, dim=-1),
            F.normalize(side_use(use[name]) - mean_use, dim=-1),
        ]
        return F.normalize(sum(sides), dim=-1)

    def english_place(name: str) -> torch.Tensor:
        mean = mean_use if name == "captions_en" else mean_gloss  # sentences and bare names have centres of their own
        return F.normalize(side_use(use[name]) - mean, dim=-1)

    targets = {name: (chinese_place if name in bge else english_place)(name) for name in texts}
    targets["keywords"] = F.normalize(2**0.5 * targets["keywords"] + targets["glosses"], dim=-1)
    targets["tags_zh"] = F.normalize(targets["tags_zh"] + targets["tags_en"], dim=-1)
    for name, group in texts.items():
        if not name.startswith(("captions", "other")):
            pull = torch.stack([KNOWN * known.get(text, torch.zeros(512)) for text in group])
            targets[name] = F.normalize(targets[name] + pull, dim=-1)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: places.half().contiguous() for name, places in targets.items()}, args.out)


if __name__ == "__main__":
    main()
