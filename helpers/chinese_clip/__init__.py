"""Notebook 02: pictures and Chinese texts in one space, with a pretrained model or one of our own making.

`ImageTextEncoder` encodes with whichever model stands behind it. A BertCLIP is made by locking a trained image tower
and teaching a Chinese BERT to meet it.

Read in this order:
    encoder: one way to encode, whatever the model.
    locked_tower: trained image towers that stay as they are.
    bert_clip: such a tower and a BERT, as one model and as a folder.
    training: locked-image tuning.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "encoder": ["ImageTextEncoder", "load_image_text_model", "projected"],
        "locked_tower": ["LockedTower", "load_image_tower"],
        "bert_clip": [
            "IMAGE_TOWER",
            "TEXT_TOWER",
            "from_towers",
            "join_towers",
            "load_bert",
            "new_bert",
        ],
        "training": ["LockedTask", "train_lit"],
    },
)
