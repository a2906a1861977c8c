"""Zero-shot classification: a class is the mean of the sentences that name it, and needs no training example.

Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision", section 3.1.4: a bare
word is a rare caption, and several templates together are better than each alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

TextEncoder = Callable[[Sequence[str]], np.ndarray]  # M texts -> (M, D) of unit norm


def class_embeds(names: Sequence[str], templates: Sequence[str], encode_texts: TextEncoder) -> np.ndarray:
    """One unit vector a class: the mean over the templates, each with the class's name in place of its `{}`.

    Args:
        names: C names of classes.
        templates: T sentences with one `{}` each; `["{}"]` is the bare word.
        encode_texts: texts -> unit embeddings.

    Returns:
        (C, D), unit norm.

    Raises:
        ValueError: there is no class or no template, or a template has no place for the name.
    """
    if not names or not templates:
        raise ValueError("class_embeds: at least one class and one template are needed")
    if wrong := [template for template in templates if "{}" not in template]:
        raise ValueError(f"class_embeds: no {{}} for the name in {wrong[0]!r}")
    texts = [template.format(name) for name in names for template in templates]
    embeds = encode_texts(texts).reshape(len(names), len(templates), -1)  # (C * T, D) -> (C, T, D)
    mean = embeds.mean(1)  # (C, D)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def predict(image_embeds: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The class of each picture: unit embeddings (N, D) and (C, D) -> indices (N,)."""
    return (image_embeds @ classes.T).argmax(1)  # (N, D) @ (D, C) -> (N, C) -> (N,)


def accuracy(image_embeds: np.ndarray, classes: np.ndarray, truth: np.ndarray) -> float:
    """The share, in per cent, of pictures (N, D) whose class among (C, D) is the true one (N,)."""
    return 100 * float((predict(image_embeds, classes) == truth).mean())
