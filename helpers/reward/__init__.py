"""Notebook 07: a writer that is rewarded for what a critic likes.

Read in this order:
    reinforce: learning from a score without a gradient.
    critics: what a caption is rewarded for.
    captions: a captioner that is rewarded.
    verse: the same for poems.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "reinforce": [
            "against_greedy", "entropy", "leave_one_out", "policy_loss", "scaled", "token_log_probs", "until_end",
        ],
        "critics": [
            "CRITICS", "CiderCritic", "ClipCritic", "Critic", "Drawn", "LikelihoodCritic", "PlainCritic",
            "critic_names", "make_critics", "repeated_pairs", "stammering",
        ],
        "verse": [
            "VERSE_CRITICS", "PicturesWithWords", "RewardedVerse", "VerseCritics", "train_verse_reward",
        ],
        "captions": ["Rewarded", "beams", "RewardedOutput", "RewardTask", "reward_figures", "train_reward"],
    },
)  # fmt: skip
