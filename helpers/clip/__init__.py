"""Notebook 01: a CLIP of our own, from two backbones and a contrastive loss.

Two towers land in one space; a batch of pairs gives a matrix of cosines whose diagonal should win. The backbones are
pretrained, so their features can be computed once and the heads trained on them in minutes.

Read in this order:
    model: projection head, towers, `CustomCLIP`, the loss.
    configuration: the towers and their space, as transformers keeps such things.
    processor: from pictures and texts to tensors.
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
        "configuration": ["CustomCLIPConfig", "ImageTowerConfig", "TorchvisionConfig", "as_config"],
        "model": [
            "IMAGE_HEADS",
            "MAX_LOGIT_SCALE",
            "POOLING",
            "CustomCLIP",
            "ImageTower",
            "LockedCLIP",
            "ProjectionHead",
            "ProjectionHeads",
            "Shift",
            "TextTower",
            "TorchvisionNetwork",
            "contrastive_loss",
            "feature_width",
            "masked_mean",
            "single_vector",
            "symmetric_cross_entropy",
            "without_pooler",
        ],
        "processor": [
            "IMAGENET_MEAN",
            "IMAGENET_STD",
            "ImageTextProcessor",
            "SquashImageProcessor",
            "bilingual_tokenizer",
            "tokenizer_json",
        ],
        "pretrained": [
            "from_backbones",
            "is_custom_clip",
            "load_clip",
            "load_image_backbone",
            "load_text_backbone",
            "save_clip",
        ],
        "features": [
            "cached_features",
            "cached_image_features",
            "cached_text_features",
            "embed_pairs",
            "image_features",
            "in_cached_blocks",
            "in_batches",
            "text_features",
        ],
        "pairs": ["FeaturePairs", "LockedPairs", "Pair", "PairBatches", "PicturePairs"],
        "training": [
            "CROP_ROOM",
            "ContrastiveTask",
            "FineTuneTask",
            "FrozenTask",
            "Setting",
            "as_figures",
            "fine_tune",
            "heads_recall",
            "pair_batches",
            "run_task",
            "train_heads",
        ],
        "grad_cam": ["gradcam"],
    },
)
