"""The checks of notebook 06 take right answers and name the typical mistakes."""

import torch

from tests.checks.answer_tests import answer_tests


def noise_cosine(variance, dim, power=0.5):
    return 1 / (1 + variance * dim) ** power


def moved(image_embeds, reference_embeds, text_embeds):
    return image_embeds - reference_embeds.mean(0) + text_embeds.mean(0)


def only_the_last(input_ids, pad_id):
    mask = text_mask(input_ids, pad_id)
    mask[:, :3] = False
    return mask


def text_mask(input_ids, pad_id, cls_sees_pads=False, seen_cls=False, itself=True):
    size = input_ids.shape[1] + 1
    mask = torch.ones(size, size).tril().bool().repeat(len(input_ids), 1, 1)
    mask[:, -1, :-1] &= (input_ids != pad_id) | cls_sees_pads
    mask[:, :-1, -1] = seen_cls
    mask[:, -1, -1] = itself
    return mask


RIGHT = {"check_noise_cosine": noise_cosine, "check_moved": moved, "check_text_mask": text_mask}
WRONG = [
    ("check_noise_cosine", lambda variance, dim: noise_cosine(variance, dim, 1), "root"),
    ("check_noise_cosine", lambda variance, dim: 1 / (1 + variance**0.5), "add up"),
    ("check_noise_cosine", lambda variance, dim: 0.2, "orthogonal"),
    ("check_moved", lambda images, reference, texts: moved(images, images, texts), "reference pictures"),
    ("check_moved", lambda images, reference, texts: images - texts.mean(0) + reference.mean(0), "other way round"),
    ("check_moved", lambda images, reference, texts: images - reference.mean(0), "add the mean text"),
    ("check_moved", lambda images, reference, texts: images - reference.mean() + texts.mean(), "rows alone"),
    ("check_moved", lambda images, reference, texts: images[0], "shape"),
    ("check_text_mask", lambda ids, pad: text_mask(ids, pad, cls_sees_pads=True), "does not see pads"),
    ("check_text_mask", lambda ids, pad: text_mask(ids, pad, seen_cls=True), "told beforehand"),
    ("check_text_mask", lambda ids, pad: text_mask(ids, pad, itself=False), "CLS sees itself"),
    ("check_text_mask", lambda ids, pad: torch.ones(2, 5, 5), "None sees what comes later"),
    ("check_text_mask", only_the_last, "all tokens before"),
    ("check_text_mask", lambda ids, pad: text_mask(ids, pad)[:, 1:, 1:], "T + 1, T + 1"),
]
test_right_answers_pass, test_empty_functions_are_not_yet, test_mistakes_are_named = answer_tests(RIGHT, WRONG)
