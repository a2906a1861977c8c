"""Figures, as plain functions on arrays and strings: no model, no file, no picture.

Read in this order:
    retrieval: recall@k, chance, average precision.
    hubness: hubs among neighbours, and three corrections.
    calibration: whether probabilities can be trusted.
    poems: rules kept, keywords used, variety.
    next_line: which of ten lines is the fourth of a poem?
    copies: the parts of a poem that stand word for word in the training poems.
    captions: CIDEr-D and BLEU over characters, variety, copies.
    ngram: a trigram, beside which a perplexity can be read.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "retrieval": ["average_precision", "chance_recall", "recall_at_k", "recall_of_scores", "word_ranking"],
        "hubness": ["centred", "csls", "inverted_softmax", "k_occurrence", "skewness"],
        "calibration": ["expected_calibration_error", "reliability"],
        "poems": ["distinct_n", "keyword_first", "keyword_recall", "verse_rates"],
        "copies": ["TrainingText"],
        "next_line": ["CharacterAssociation", "choice_accuracy", "line_choices"],
        "captions": ["CiderD", "bleu", "characters", "cider_d", "ngrams", "originality", "paired_bootstrap"],
        "ngram": ["END", "START", "Trigram", "line_tokens"],
    },
)
