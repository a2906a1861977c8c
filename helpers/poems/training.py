"""Fine-tuning a T5 to write the next line of a quatrain, with the library's Seq2SeqTrainer.

The Trainer knows about devices, number formats, accumulation, schedules, checkpoints and early stopping. This file
chooses among these, and sees to it that a run which was killed goes on from a checkpoint that is whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import (
    EarlyStoppingCallback,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    T5ForConditionalGeneration,
)
from transformers.modeling_outputs import Seq2SeqLMOutput

from helpers.config import pick_device, pick_dtype
from helpers.options import PoemTrainingConfig
from helpers.poems.corpus import Quatrain
from helpers.poems.next_line import IGNORED, collate, line_pairs, tokenize
from helpers.poems.words import count_words
from helpers.poems.writer import use_eager_attention
from helpers.training import begin_run, check_resumable

STATE = "trainer_state.json"


def fine_tune_t5(
    model: T5ForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    train: Sequence[Quatrain],
    valid: Sequence[Quatrain],
    config: PoemTrainingConfig,
    folder: Path,
    resume: bool = False,
    device: str = "auto",
    progress: bool = True,
) -> list[dict]:
    """Train `model` in place and write it to `folder`, in its best state by the loss on `valid`.

    Returns the log: {"step", "loss", "learning_rate"} and {"step", "eval_loss"} entries, also those before a restart.
    Raises ValueError where `folder` holds another run, or one that was not asked to be resumed.
    """
    device = pick_device(device)
    settings = {**asdict(config), "poems": len(train), "weights": model.num_parameters(), "name": model.name_or_path}
    checkpoint, finished = last_checkpoint(folder), is_whole(folder)
    if checkpoint or finished:
        check_resumable(folder, settings, resume)
    else:
        begin_run(folder, settings)
    if finished:
        return finished_run(model, folder)
    counts = count_words(train)
    items, held_out = (tokenize(tokenizer, line_pairs(poems, counts, config.seed)) for poems in (train, valid))
    if device == "cpu":
        use_eager_attention(model)  # for sequences this short 1.8 times as fast a step there as sdpa
    trainer = Seq2SeqTrainer(
        model,
        training_arguments(config, folder, device, progress),
        train_dataset=items,
        eval_dataset=held_out,
        data_collator=partial(training_batch, model, tokenizer.pad_token_id),
        compute_loss_func=mean_over_tokens,
        processing_class=tokenizer,
        callbacks=[EarlyStoppingCallback(config.patience)],
    )
    if not progress:
        trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=checkpoint)
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False).eval()  # its own forward, without autocast
    trainer.save_model(str(folder))
    trainer.state.save_to_json(str(folder / STATE))
    return trainer.state.log_history


def training_batch(
    model: T5ForConditionalGeneration, pad_token_id: int, items: Sequence[dict[str, list[int]]]
) -> dict[str, torch.Tensor]:
    """A batch of `collate`, (B, S) and (B, T), with decoder_input_ids (B, T): the labels, one place to the right."""
    batch = collate(items, pad_token_id)
    return {**batch, "decoder_input_ids": model.prepare_decoder_input_ids_from_labels(batch["labels"])}


def mean_over_tokens(
    outputs: Seq2SeqLMOutput, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Mean cross-entropy (a scalar) over the targets' tokens: logits (B, T, V), labels (B, T).

    `num_items_in_batch` is the number of tokens in all batches of a step.

    T5 takes the mean of each batch, and the Trainer takes it for a share of the step: accumulated over four batches,
    its gradient would be four times too large.
    """
    logits = outputs["logits"].flatten(0, 1).float()  # (B, T, V) -> (B·T, V)
    total = cross_entropy(logits, labels.flatten(), ignore_index=IGNORED, reduction="sum")
    return total / (num_items_in_batch if num_items_in_batch is not None else (labels != IGNORED).sum())


def finished_run(model: T5ForConditionalGeneration, folder: Path) -> list[dict]:
    """The log of a run that is over, whose weights `model` takes: the Trainer would train on."""
    model.load_state_dict(type(model).from_pretrained(folder).state_dict())
    model.eval()
    return json.loads((folder / STATE).read_text(encoding="utf-8"))["log_history"]


def training_arguments(
    config: PoemTrainingConfig, folder: Path, device: str, progress: bool
) -> Seq2SeqTrainingArguments:
    return Seq2SeqTrainingArguments(
        output_dir=str(folder),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.lr,
        lr_scheduler_type="cosine",
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        bf16=pick_dtype(device) == torch.bfloat16,  # never float16: T5's feed-forward layers overflow in it
        use_cpu=device == "cpu",
        train_sampling_strategy="group_by_length",  # little padding: sources have 8 to 45 tokens
        eval_strategy="steps",
        eval_steps=config.evaluate_every,
        save_steps=config.evaluate_every,
        save_total_limit=2,
        restore_callback_states_from_checkpoint=True,  # early stopping goes on counting
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        logging_steps=10,
        report_to="none",  # a reader's account elsewhere is none of our business
        disable_tqdm=not progress,
        dataloader_pin_memory=device == "cuda",
        seed=config.seed,
        remove_unused_columns=False,
    )


def last_checkpoint(folder: Path) -> str | None:
    """The latest checkpoint that is whole, or None."""
    whole = [path for path in folder.glob("checkpoint-*") if is_whole(path)]
    return str(max(whole, key=lambda path: int(path.name.rpartition("-")[2]))) if whole else None


def is_whole(folder: Path) -> bool:
    """True if a checkpoint, or the model in the end, was written completely: the Trainer's state comes last."""
    try:
        return bool(json.loads((folder / STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False
