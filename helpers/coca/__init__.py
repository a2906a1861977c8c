"""Notebook 06: one model that finds pictures by texts and tells what they show (CoCa), through open_clip.

A text tower and a picture tower are trained with a contrastive loss, and a decoder on top of both with a captioning
loss.

Read in this order:
    beams: what open_clip's beam search needs and transformers 5 no longer has.
    model: a small CoCa on stored embeddings.
    pretrained: open_clip's large ones.
    blip: another captioner with published weights.
    loading: captioners and encoders by folder or name.
    training: with both losses, on the loop of all systems.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "beams": ["BeamSearchScorer", "open_clip"],
        "model": ["FeatureCoCa", "FeatureCoCaConfig", "as_open_clip", "mend"],
        "pretrained": ["COCO", "OpenClipCaptioner", "OpenClipEncoder"],
        "blip": ["BlipCaptioner"],
        "loading": ["load_captioner", "load_encoder"],
        "training": ["CoCaTask", "encode", "new_coca", "retrieval", "shared_space", "train_coca"],
    },
)
