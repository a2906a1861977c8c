"""The exercises check themselves: each `check_...` prints "ok", or "not yet" with a hint, and never raises.

A notebook calls `check_recall(recall)` right below the empty function, so that an unsolved notebook still runs from
top to bottom.

Read in this order:
    exercise: the parts of a check.
    clip, chinese_clip, poems, pipeline, captioning, coca, reward: the exercises of notebooks 01 to 07.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "clip": ["check_recall", "check_masked_mean", "check_loss", "check_batches"],
        "chinese_clip": ["check_calibrated", "check_text_neighbours", "check_k_occurrence", "check_diverse"],
        "poems": ["check_labels", "check_nucleus", "check_forbid_used", "check_t5_attention", "check_leaking_lines"],
        "captioning": ["check_best_caption", "check_caption_loss", "check_document_frequency"],
        "coca": ["check_moved", "check_noise_cosine", "check_text_mask"],
        "reward": ["check_leave_one_out", "check_negative_chain", "check_rank"],
        "pipeline": ["check_rhymes", "check_place", "check_varied", "check_force_first", "check_survivors"],
    },
)
