"""Where each text belongs in CLIP's space: the text teacher, from three text encoders and known word vectors.

    python -m recipes.image_text.teacher --data DATA --features FLICKR WALLPAPERS \
        --bert RUNS/weights/bge-small-zh-v1.5 --earlier helpers/assets/backbones --out RUNS/text_teacher.safetensors

bge-small-zh knows Chinese, the Universal Sentence Encoder both languages, and neither knows pictures. A bridge (see
`recipes.backbones.bridge`) and a ridge regression take each of them to CLIP's space; an earlier small DistilBERT of
this series (`recipes.backbones`) lands there by itself. Every side is centred over texts of its kind, words or
captions, before sides are added: they share a mean direction that says nothing. Words whose place is known (275 of
CLIP's own, 1,434 mapped) are pulled half the way there. The English gloss of a keyword is no part of the keyword's
place: it made landscapes worse (24 labels on 81 photos: mAP .889 without, .821 with 0.4 of it).

The image features are centred too: without nine tenths of their mean, since the modality gap is no business of words.
How much that is was measured once, on Flickr's photos before they are softened, and stays: it is in the same file as
the image tower, which so need never change.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import AutoTokenizer

from helpers.chinese_clip import ImageTextEncoder, load_bert
from helpers.config import ASSETS
from helpers.data import flatten
from helpers.storage import INT8_INDEX
from recipes.backbones.bridge import sentence_vectors, train_bridge
from recipes.clip_features import read_features
from recipes.image_text.texts import known_words, photo_captions, training_texts

RIDGE = 3.0
CAPTION_WEIGHT = 0.1  # in the ridge regression: a caption says less of a word than the word's own vector
KNOWN = 0.5  # weight of a known word vector beside the sides
ENGLISH = ("captions_en", "glosses", "tags_en", "known_en")  # which a Chinese BERT cannot read
CENTRES = {  # sentences have a centre of their own, and so has each language
    "captions_en": "captions_en", "captions_zh": "captions_zh", "other_zh": "captions_zh", "keywords": "keywords",
    "tags_zh": "keywords", "known_zh": "keywords", "glosses": "glosses", "tags_en": "glosses", "known_en": "glosses",
}  # fmt: skip


def offset() -> torch.Tensor:
    """What the shipped model adds to unit image features: most of their mean, taken away (512,)."""
    folder, name = ASSETS / "image_text", "image.head.offset"
    index = json.loads((folder / INT8_INDEX).read_text(encoding="utf-8"))
    with safe_open(folder / index["weight_map"][name], "pt") as file:
        return file.get_tensor(name).float()


def about_mean(features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Image features of several sets (P, 512) -> unit vectors about their mean."""
    shift = offset()
    return [F.normalize(F.normalize(group.float(), dim=-1) + shift, dim=-1) for group in features]


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


def bridged(side: Side, vectors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Sentence vectors of each kind of text -> unit vectors about the centre of the texts of like kind (`CENTRES`)."""
    return about_centres({name: side(group) for name, group in vectors.items()})


def about_centres(places: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Each kind of text (N, 512) without the mean of the kind that `CENTRES` names, scaled to length 1."""
    return {name: F.normalize(group - places[CENTRES[name]].mean(0), dim=-1) for name, group in places.items()}


def combined(
    sides: Sequence[dict[str, torch.Tensor]], known: dict[str, np.ndarray], texts: dict[str, list[str]]
) -> dict[str, torch.Tensor]:
    """The sum of all sides that know a kind of text, with the known vectors of words: unit vectors (N, 512) a kind."""
    places = {}
    for name, group in texts.items():
        place = F.normalize(sum(side[name] for side in sides if name in side), dim=-1)
        if not name.startswith(("captions", "other")):
            nothing = np.zeros(place.shape[1], dtype=np.float32)
            place = place + KNOWN * torch.from_numpy(np.stack([known.get(text, nothing) for text in group]))
        places[name] = F.normalize(place, dim=-1)
    return places


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="with flickr8k/, clip_text/ and captions_zh/")
    parser.add_argument("--features", type=Path, nargs=2, required=True, help="of Flickr8k, of the wallpapers")
    parser.add_argument("--bert", required=True, help="bge-small-zh by hub id or folder")
    parser.add_argument("--earlier", required=True, help="a CLIP of ours whose text tower landed in the same space")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)

    captions, n_flickr = photo_captions(args.data)
    image_embeds = torch.cat(about_mean(read_features(args.features)))
    owners_en, owners_zh = (torch.from_numpy(flatten(groups)[1]) for groups in (captions.english, captions.chinese))
    known = known_words(args.data)
    texts = training_texts(args.data)
    place = {
        name: torch.from_numpy(np.stack([known[text] for text in texts[name]])) for name in ("known_en", "known_zh")
    }

    bge = {name: bert_vectors(args.bert, texts[name]) for name in texts if name not in ENGLISH}
    side_bge = Side(image_embeds, n_flickr, [(bge["captions_zh"], owners_zh)], bge["known_zh"], place["known_zh"])
    use = {name: F.normalize(sentence_vectors(group), dim=-1) for name, group in texts.items()}
    both = torch.cat([use["known_en"], use["known_zh"]]), torch.cat([place["known_en"], place["known_zh"]])
    side_use = Side(image_embeds, n_flickr, [(use["captions_en"], owners_en), (use["captions_zh"], owners_zh)], *both)
    encoder = ImageTextEncoder.from_pretrained(args.earlier)
    earlier = {name: torch.from_numpy(encoder.encode_texts(group)) for name, group in texts.items()}

    sides = [bridged(side_bge, bge), bridged(side_use, use), about_centres(earlier)]
    targets = combined(sides, known, texts)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: places.half().contiguous() for name, places in targets.items()}, args.out)


if __name__ == "__main__":
    main()
