"""The command line (`python -m helpers`, `image-to-poem`): options in, calls of the packages, text or JSON out.

Read in this order:
    shared: what the commands share.
    poem: poem, keywords.
    lines: lines.
    captions: caption, train clipcap, capdec, coca.
    interrogate: interrogate.
    train: train clip, lit, poem.
    reward: train reward.
    evaluate: evaluate retrieval, pipeline, captions.
    data: download-images, filter-pairs.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "shared": ["complain", "picture_names"],
        "poem": ["add_picture_commands"],
        "lines": ["add_line_commands"],
        "captions": ["add_caption_commands", "add_captioner_trainings"],
        "interrogate": ["add_interrogate_command"],
        "train": ["add_training_commands"],
        "reward": ["add_reward_training"],
        "evaluate": ["add_evaluate_commands"],
        "data": ["add_data_commands"],
    },
)
