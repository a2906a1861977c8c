"""Notebook 03: a T5 that writes the next line of a quatrain from keywords and the lines so far.

Poems are read and split without variants, cut into (keywords and lines so far, next line), and learnt; then four lines
are written one after another, all candidates of all keyword sets in one batch.

Read in this order:
    corpus: quatrains of THU-CCPC and of chinese-poetry.
    words: the words of a poem, its possible keywords.
    splits: poems that are too much alike stay on one side.
    next_line: the T5's input and output, as text and as ids.
    training: fine-tuning, with the library's Trainer.
    drafts: poems in progress.
    decoding: ways to choose the next token.
    writer: the poem model at work.
    reader: the second reader, which says how well lines go together.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "corpus": [
            "Quatrain",
            "is_quatrain",
            "read_ccpc",
            "read_chinese_poetry",
            "read_fragments",
            "read_split",
            "write_ccpc",
        ],
        "words": [
            "ORDERED",
            "count_words",
            "cut_some",
            "in_order",
            "keywords_or_part",
            "sample_keywords",
            "segment",
            "told_keywords",
            "words_of",
        ],
        "splits": ["LineVariants", "patterns", "split_poems", "without_variants", "without_variants_of"],
        "next_line": [
            "FRAGMENT",
            "HEAD",
            "IGNORED",
            "QUATRAIN",
            "collate",
            "encode",
            "line_pairs",
            "pad",
            "source_text",
            "target_text",
            "tokenize",
            "without_lines",
        ],
        "training": ["fine_tune_t5", "is_whole", "last_checkpoint", "mean_over_tokens", "training_arguments"],
        "drafts": ["Drafts"],
        "decoding": [
            "MIN_P",
            "SMALLEST",
            "STRATEGIES",
            "TEMPERATURE",
            "contrastive_search",
            "inverse_transform",
            "row_draws",
            "sample_rows",
            "uniform_draws",
        ],
        "reader": ["LineReader", "PoemReader", "joined"],
        "writer": ["Poem", "PoemWriter", "behind", "character_tokenizer"],
    },
)
