"""The words, and the lines of classical verse, that a picture shows.

The vocabulary of poetic imagery is encoded once. A picture's cosines are calibrated against reference pictures and
thinned of near-synonyms; the same space answers with whole lines from an index.

Read in this order:
    vocabulary: keyword.txt, and word lists of the reader.
    phrases: tables of phrases to ask a picture about.
    moments: words that cannot be true together.
    probability: how likely a word is to be true of a picture.
    ranking: cosine, calibration, diversity.
    table: what labelled photographs add to the words of keyword.txt.
    zero_shot: classes as means of sentences.
    lines: lines of verse, read and encoded.
    line_index: the nearest lines out of thousands or millions.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "vocabulary": ["ANY_WORD", "LABELLED", "Keyword", "load_vocabulary", "read_words"],
        "phrases": ["CHINESE", "FLAWS", "VERSE", "Phrase", "load_phrases"],
        "moments": ["clash", "contradict", "moments_of", "needs_night"],
        "probability": ["CLAIMED", "Calibration", "log_prior"],
        "table": ["TABLE", "KeywordTable", "shipped_calibration", "table_of"],
        "ranking": [
            "ScoredWord",
            "WordRanker",
            "WordStatistics",
            "calibrated_scores",
            "without_mean",
            "goes_with",
            "pick_diverse",
            "ranked",
            "standard_scores",
            "standardised",
            "twins",
            "unit",
            "word_bias",
            "word_statistics",
        ],
        "zero_shot": ["accuracy", "class_embeds", "predict"],
        "lines": ["BLOCK", "SAMPLE", "Line", "encode_lines", "load_lines"],
        "line_index": ["CENTRE", "CONFIG", "INDEX", "KINDS", "LINES", "FoundLine", "LineIndex", "calibrated_queries"],
    },
)
