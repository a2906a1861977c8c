"""Models measured on data that they have not seen, by judges that had no part.

Each file answers one `python -m helpers evaluate WHAT`; the arithmetic is that of `helpers.metrics`.

Read in this order:
    retrieval: recall@k of pictures and captions.
    captions: a captioner beside copied captions and people's.
    labelled_photos: photographs whose contents people have labelled.
    pipeline: keywords and poems for such photographs, by a model that did not choose them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "retrieval": ["evaluate_retrieval"],
        "captions": ["caption_figures", "evaluate_captions"],
        "labelled_photos": ["LABELS", "LabelledPhotos", "named_labels", "read_labelled_photos"],
        "pipeline": ["Judge", "best_and_worst", "bigrams", "diversity", "evaluate_pipeline", "keyword_precision"],
    },
)
