"""The rules of the quatrain (绝句): judged in finished poems, enforced while a line is written.

Knows neither pictures nor any one model: every constraint works with any tokenizer.

Read in this order:
    rhymes: tones and rhyme groups of a character (平水韵).
    check: a poem judged: form, rhyme, order of tones, repeated characters.
    rules: the same for a line that is still being written, asked for whole words.
    vocabulary: a tokenizer's tokens as verse sees them.
    constraint: exact length, rhyme, no character twice.
    tone_constraint: the order of level and oblique tones (平仄).
    keyword_bonus: a nudge towards the keywords.
    keyword_constraint: a word that a line must hold, a character that it must begin with.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "rhymes": ["level_groups", "level_rhymes", "tones", "usual_readings"],
        "check": [
            "ANY",
            "Line",
            "check_poem",
            "doubled_characters",
            "in_tonal_order",
            "repeated_characters",
            "tone_at",
            "tone_pattern",
        ],
        "rules": ["VerseRules", "may_end"],
        "vocabulary": ["spell", "tokens_begun"],
        "constraint": ["VerseConstraint"],
        "tone_constraint": ["ToneConstraint"],
        "keyword_bonus": ["CONTINUE", "KeywordBonus"],
        "keyword_constraint": ["AcrosticConstraint", "KeywordConstraint"],
    },
)
