"""The rules of the quatrain (绝句): judged in finished poems, enforced while a line is written.

Knows neither pictures nor any one model: the processor works with any tokenizer.

Read in this order:
    rhymes: the rhyme groups of a character (平水韵), from a package.
    readings: how a character is usually read, by two books: one that is enforced, one that is reported.
    patterns: the order of level and oblique tones in a line, each rule once.
    doublings: characters that poets say twice running.
    check: a poem judged: form, rhyme, order of tones, tails, repetition, caesura.
    rules: the switches.
    vocabulary: a tokenizer's tokens as verse sees them.
    processor: which tokens may come next, for a whole batch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "rhymes": ["Reading", "level_rhymes", "tones", "usual_readings"],
        "readings": ["LEVEL", "OBLIQUE", "Readings", "enforced", "reported"],
        "patterns": [
            "LONELY_LEVEL",
            "RESCUED",
            "SWAPPED",
            "THREE_LEVEL",
            "licence",
            "neighbours",
            "patterns_to_write",
            "rescues",
            "tail_fault",
            "tone_at",
            "word_starts",
        ],
        "check": [
            "ANY",
            "FAULTS",
            "LISTED",
            "Line",
            "check_poem",
            "doubled_characters",
            "headed_lines",
            "is_list",
            "misplaced_words",
            "read_tones",
            "repeated_characters",
            "rhyme_of",
            "tone_pattern",
        ],
        "doublings": ["DOUBLINGS"],
        "rules": ["VerseRules"],
        "vocabulary": ["continuations", "verse_vocabulary"],
        "processor": ["NO_PLACE", "REPEATED", "UNKNOWN", "VerseProcessor", "first_character"],
    },
)
