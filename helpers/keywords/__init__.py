"""The words, and the lines of classical verse, that a picture shows.

The vocabulary of poetic imagery is encoded once. A picture's cosines are calibrated against reference pictures and
thinned of near-synonyms; the same space answers with whole lines from an index.

Read in this order:
    vocabulary: keyword.txt, and word lists of the reader.
    ranking: cosine, calibration, diversity.
    zero_shot: classes as means of sentences.
    lines: lines of verse, read and encoded.
    line_index: the nearest lines out of thousands or millions.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "vocabulary": ["Keyword", "load_vocabulary", "read_words"],
        "ranking": [
            "ScoredWord",
            "WordRanker",
            "WordStatistics",
            "calibrated_scores",
            "pick_diverse",
            "ranked",
            "standard_scores",
            "standardised",
            "word_bias",
            "word_statistics",
        ],
        "zero_shot": ["accuracy", "class_embeds", "predict"],
        "lines": ["BLOCK", "SAMPLE", "Line", "encode_lines", "load_lines"],
        "line_index": ["CENTRE", "CONFIG", "INDEX", "KINDS", "LINES", "FoundLine", "LineIndex", "calibrated_queries"],
    },
)
