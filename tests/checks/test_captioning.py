"""The checks of notebook 05 take right answers and name the typical mistakes."""

import torch
from torch.nn.functional import cross_entropy

from tests.checks.answer_tests import answer_tests


def document_frequency(references, n, unique=set):
    counts = {}
    for group in references:
        for gram in unique(text[i : i + n] for text in group for i in range(len(text) - n + 1)):
            counts[gram] = counts.get(gram, 0) + 1
    return counts


def in_captions(references, n):
    return document_frequency([[text] for group in references for text in group], n)


def across_captions(references, n):
    return document_frequency([["".join(group)] for group in references], n)


def caption_loss(logits, input_ids, attention_mask, prefix_length, shift=1):
    start = prefix_length - shift
    logits = logits[:, start : start + input_ids.shape[1]]
    labels = input_ids.masked_fill(attention_mask == 0, -100)
    return cross_entropy(logits.transpose(1, 2), labels)


def each_alone(logits, input_ids, attention_mask, prefix_length):
    """The mean of the rows' means."""
    rows = zip(logits, input_ids, attention_mask, strict=True)
    return torch.stack([caption_loss(*(part[None] for part in row), prefix_length) for row in rows]).mean()


def best_caption(image, texts, others):
    return int((texts @ image - (texts @ others.T).mean(1)).argmax())


RIGHT = {
    "check_document_frequency": document_frequency,
    "check_caption_loss": caption_loss,
    "check_best_caption": best_caption,
}
WRONG = [
    ("check_document_frequency", lambda r, n: sorted(document_frequency(r, n)), "Return a dict"),
    ("check_document_frequency", in_captions, "however many of its captions"),
    ("check_document_frequency", lambda r, n: document_frequency(r, n, list), "A group counts once"),
    ("check_document_frequency", lambda r, n: document_frequency(r, 1), "two characters"),
    ("check_document_frequency", across_captions, "within one caption"),
    ("check_caption_loss", lambda x, i, m, k: caption_loss(x, i, torch.ones_like(m), k), "The pad counts"),
    ("check_caption_loss", lambda x, i, m, k: caption_loss(x, i, m, k, shift=0), "One too far"),
    ("check_caption_loss", lambda x, i, m, k: caption_loss(x, i, m, k, shift=k), "tell nothing"),
    ("check_caption_loss", each_alone, "Mean over all real tokens"),
    ("check_caption_loss", lambda x, i, m, k: x.mean((1, 2)), "a scalar"),
    ("check_best_caption", lambda i, t, o: (t @ i).argmax(), "take that off"),
    ("check_best_caption", lambda i, t, o: (t @ o.T).mean(1).argmax(), "suits the others"),
    ("check_best_caption", lambda i, t, o: t @ i, "one number"),
]
test_right_answers_pass, test_empty_functions_are_not_yet, test_mistakes_are_named = answer_tests(RIGHT, WRONG)
