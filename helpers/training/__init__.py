"""One training loop for all systems: devices, mixed precision, several processes, exact resume after kill -9.

A `Task` says what is trained: the model, its loss, the batches and the figures of an epoch. The loop knows no CLIP.

Read in this order:
    task: what the loop asks of whatever it trains.
    loop: AdamW with warm-up and cosine, checkpoints, epochs.
    big_batch: contrastive batches larger than a device, with the same gradient.
    runs: a run's folder, begun once and resumed only as the run it was.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "task": ["Batches", "Figures", "Task"],
        "loop": ["Progress", "checkpoints", "fit", "fit_and_save", "make_accelerator", "open_run", "parameter_groups"],
        "big_batch": ["InChunks", "gather_embeds"],
        "runs": ["RUN", "begin_run", "check_resumable"],
    },
)
