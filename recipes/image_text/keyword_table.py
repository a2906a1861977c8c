"""The table beside the text tower: where keyword.txt's words lie once labelled photographs have had their say.

    python -m recipes.image_text.keyword_table --model helpers/assets/image_text --features FLICKR WALLPAPERS SCENES \
        --scenes DATA/scenes [--without wallpapers scenes] --out helpers/assets/image_text/keywords.safetensors

A word's place is the text tower's, about the centre of all words, plus its prototype: the mean of the pictures that
show it (Snell et al. 2017, "Prototypical Networks", arXiv:1703.05175, section 2), whitened, and the shorter the fewer
they are. Then one logistic makes a probability of a word's standard score and of how common it is. It is fitted on
wallpapers whose own labels had no part in the prototypes that they are scored by.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from helpers.chinese_clip import ImageTextEncoder
from helpers.keywords import (
    LABELLED,
    Calibration,
    KeywordTable,
    load_vocabulary,
    log_prior,
    standard_scores,
    unit,
    without_mean,
)
from recipes.clip_features import read_features
from recipes.image_text.labels import named, read_scenes, scene_labels, wallpaper_labels
from recipes.image_text.teacher import about_mean
from recipes.texts import DATA, rows_of

SHRINK = 3.0  # a prototype of n pictures has the length n / (n + SHRINK)
WHITENING = 0.7  # share of the pictures' own covariance that is replaced by an equal one in all directions
MODERN = 0.5  # weight of the modern things that a word stands for: a poet calls a car 车, a skyscraper 高楼
PHOTOS = 1.0  # weight of a prototype beside the text tower's place
PRIOR = 0.5  # of the log prior beside the standard score: more of it helps landscapes and hurts scenes
COMMON = 20  # the logistic is fitted on words of so many photographs: what is named seldom is also missed often
FOLDS, ALIKE = 5, 0.8  # pictures more alike than this are in one fold


def with_modern_things(places: np.ndarray, words: list[str], encoder: ImageTextEncoder) -> np.ndarray:
    """The words' places (M, D), some drawn to the English names of what they stand for today (`data/modern.tsv`)."""
    names, targets = zip(*rows_of(DATA / "modern.tsv"), strict=True)
    things, moved = without_mean(encoder.encode_texts(names)), places.copy()
    for word in set(targets):
        moved[words.index(word)] += MODERN * things[[target == word for target in targets]].mean(0)
    return unit(moved)


def whitening(image_embeds: torch.Tensor) -> torch.Tensor:
    """The inverse of the pictures' covariance, shrunk (Ledoit & Wolf 2004) to equal variance: (R, D) -> (D, D)."""
    rest = image_embeds - image_embeds.mean(0)
    covariance = rest.T @ rest / len(rest)
    equal = torch.eye(len(covariance)) * covariance.trace() / len(covariance)
    return torch.linalg.inv((1 - WHITENING) * covariance + WHITENING * equal)


def prototypes(
    image_embeds: torch.Tensor, shown: np.ndarray, centre: torch.Tensor, inverse: torch.Tensor
) -> np.ndarray:
    """Pictures (P, D) and which words they show (P, M) -> prototypes (M, D), of length below 1; 0 for no picture."""
    shown = torch.from_numpy(shown).float()
    count = shown.sum(0)[:, None]  # (M, 1)
    mean = shown.T @ (image_embeds - centre) / count.clamp(min=1)  # (M, D)
    return (F.normalize(mean @ inverse, dim=-1) * count / (count + SHRINK)).numpy()


def folds(image_embeds: torch.Tensor) -> np.ndarray:
    """A fold for each picture (P, D), so that near copies share one: (P,)."""
    fold = np.random.default_rng(0).integers(0, FOLDS, len(image_embeds))
    alike = (image_embeds @ image_embeds.T > ALIKE).numpy()
    for i in range(len(fold)):
        fold[i] = fold[np.flatnonzero(alike[i])[0]]  # the first picture that is like it
    return fold


def fit_logistic(scores: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the likeliest p = sigmoid(slope * score + intercept): (K,), (K,) bool."""
    inputs, targets = torch.from_numpy(scores).double(), torch.from_numpy(truth).double()
    weights = torch.tensor([1.0, -3.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(weights[0] * inputs + weights[1], targets)
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights[0].item(), weights[1].item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--features", type=Path, nargs=3, required=True, help="of Flickr8k, wallpapers, scenes")
    parser.add_argument("--scenes", type=Path, required=True, help="the folder with labels.json and images/")
    parser.add_argument("--without", choices=("wallpapers", "scenes"), nargs="*", default=())
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    encoder = ImageTextEncoder.from_pretrained(args.model)
    flickr, wallpapers, scenes = about_mean(read_features(args.features))
    some = flickr[: len(wallpapers)]
    words = [keyword.word for keyword in load_vocabulary()]
    text_embeds = encoder.encode_texts(words)
    text_places = with_modern_things(without_mean(text_embeds), words, encoder)

    seen, scene_words = wallpaper_labels(), scene_labels(args.scenes / "labels.json")
    files = sorted(path.name for path in (args.scenes / "images").glob("*.jpg"))
    shown = named(seen, sorted(seen), words) & ("wallpapers" not in args.without)  # (504, M)
    shown_scenes = named(scene_words, files, words) & ("scenes" not in args.without)
    reference = torch.cat([wallpapers, some])
    centre, inverse = reference.mean(0), whitening(reference)

    def places(keep: np.ndarray) -> np.ndarray:
        """The words' places (M, D) by all scenes and the wallpapers to keep."""
        photos, labels = torch.cat([wallpapers[keep], scenes]), np.concatenate([shown[keep], shown_scenes])
        return unit(text_places + PHOTOS * prototypes(photos, labels, centre, inverse))

    fold, z_scores = folds(wallpapers), np.zeros(shown.shape, dtype=np.float32)
    truth, rates = named(seen, sorted(seen), words), np.zeros(shown.shape, dtype=np.float32)
    by_readers = read_scenes()
    looked_at = [file in by_readers for file in files]
    counts = named(scene_words, files, words)[looked_at].sum(0)  # (M,)
    for number in range(FOLDS):
        own, others = fold == number, fold != number
        known = torch.cat([wallpapers[others], some]).numpy()
        z_scores[own] = standard_scores(wallpapers[own].numpy(), places(others), known)
        rates[own] = log_prior(truth[others].sum(0) * len(own) / others.sum() + counts, LABELLED)
    totals, common = z_scores + PRIOR * rates, truth.sum(0) >= COMMON
    slope, intercept = fit_logistic(totals[:, common].ravel(), truth[:, common].ravel())
    calibration = Calibration(PRIOR, slope, intercept)
    print(calibration)
    KeywordTable(words, places(np.full(len(fold), True)), text_embeds.mean(0), calibration).save(args.out)


if __name__ == "__main__":
    main()
