"""Notebook 01: a CLIP of our own, from two backbones and a contrastive loss.

Two towers land in one space; a batch of pairs gives a matrix of cosines whose diagonal should win. The backbones are
pretrained, so their features can be computed once and the heads trained on them in minutes.

Read in this order:
    model: projection head, towers, `CustomCLIP`, the loss.
    bundle: model, tokenizer and preparation of pictures together.
    pretrained: backbones by name, the model as a folder.
    features: what frozen backbones make of a set, computed once.
    pairs: batches in which no picture comes twice.
    training: heads alone, or everything.
    grad_cam: where in a picture the tower looks for a text.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "model": [
            "MAX_LOGIT_SCALE",
            "POOLING",
            "CustomCLIP",
            "ImageTower",
            "LockedCLIP",
            "ProjectionHead",
            "ProjectionHeads",
            "TextTower",
            "bilingual_tokenizer",
            "build_clip",
            "contrastive_loss",
            "masked_mean",
        ],
        "bundle": ["Bundle"],
        "pretrained": [
            "IMAGENET_MEAN",
            "IMAGENET_STD",
            "MODEL_TYPE",
            "CLIPBundle",
            "CLIPConfig",
            "essential",
            "is_bundle",
            "normalised",
            "square_bytes",
        ],
        "features": [
            "cached_features",
            "cached_image_features",
            "cached_text_features",
            "image_features",
            "text_features",
        ],
        "pairs": ["FeaturePairs", "LockedPairs", "Pair", "PairBatches", "PicturePairs"],
        "training": [
            "CROP_ROOM",
            "as_figures",
            "fine_tune",
            "finish",
            "heads_recall",
            "pair_batches",
            "run_settings",
            "train_heads",
        ],
        "grad_cam": ["gradcam"],
    },
)
