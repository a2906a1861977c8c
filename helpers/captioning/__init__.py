"""Notebook 05: what a picture shows, in a sentence.

A mapping turns a picture's vector into the beginning of a sentence that a small GPT-2 writes on (ClipCap).

Read in this order:
    prefix: from a vector to the beginning of a sentence, by an MLP or a Transformer.
    clipcap: the mapping and the decoder as one model.
    captioner: the model at work on pictures, in batches.
    neighbours: captions taken over from alike pictures, which a captioner must beat.
    training: on stored embeddings, with the loop of all systems.
    capdec: from sentences instead of pictures (notebook 06).
    interrogator: what a picture answers to tables of phrases (notebook 07).
    verse_prefix: the same mapping in front of the poem model.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "prefix": ["MAPPINGS", "Centred", "MLPMapping", "TransformerMapping", "plain_products"],
        "clipcap": ["LONGEST", "ClipCaptioner", "ClipCaptionerConfig"],
        "captioner": ["BEAM", "GREEDY", "STRATEGIES", "Captioner", "Decoding", "new_captioner", "with_decoder"],
        "neighbours": ["CaptionedEmbeds", "consensus_captions", "most_central", "nearest_captions"],
        "verse_prefix": [
            "PicturesWithVerse",
            "VersePrefix",
            "VersePrefixConfig",
            "prefixed_logits",
            "train_verse_prefix",
        ],
        "capdec": ["NOISE", "SHIFTED_NOISE", "Blurred", "embed_sentences", "move_to_pictures"],
        "interrogator": ["LEAST", "Interrogation", "Interrogator", "ScoredPhrase"],
        "training": [
            "CaptionPairs",
            "CaptionTask",
            "embed_captioned",
            "run_settings",
            "save_captioner",
            "train_captioner",
        ],
    },
)
