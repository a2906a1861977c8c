"""Notebook 04: the whole way from photographs to poems, one picture or a million.

Keywords get a line each, candidates are written in one of several ways, and the one that keeps the rules and fits the
picture best is chosen. A batch decodes, writes and draws at the same time, and can be killed and resumed.

Read in this order:
    image_to_poem: the whole way, step by step.
    associations: what verse adds to the words that are seen.
    plan: which keyword for which line.
    candidates: ways from a picture to candidate poems.
    choice: which candidate is shown.
    batch: any number of pictures, block by block.
    names: files, folders and patterns, and where cards go.
    results: the file of results, which a killed run goes on with.
    ray_engine: the same batch on many machines.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "image_to_poem": [
            "REFERENCE",
            "ImageToPoem",
            "PicturePoem",
            "interrogator_of",
            "load_pipeline",
            "reference_pictures",
        ],
        "associations": ["Associations", "shipped_associations", "usual_name", "with_associations"],
        "plan": ["LinePlan", "shipped_plan"],
        "candidates": ["can_open", "from_keywords", "from_lines", "guided"],
        "choice": [
            "LIKELIHOOD_WEIGHT",
            "COHERENCE_WEIGHT",
            "Choice",
            "best_first",
            "broken_rules",
            "image_text_fit",
            "sense_scores",
            "standardise",
            "total_scores",
        ],
        "batch": ["PoemJob", "Row", "keyword_records", "poem_blocks", "write_card"],
        "names": ["card_paths", "identity", "marked_card_path", "matches"],
        "results": ["PoemFile"],
        "ray_engine": ["import_ray", "ray_blocks"],
    },
)
