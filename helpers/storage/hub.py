"""Names of models and sets, on the hub or here, and the kind of model that a folder holds.

Nobody switches the hub off for a whole process: a `from_pretrained` is told `local_files_only`, and a folder is read
without a request anyway.
"""

from __future__ import annotations

import json
from pathlib import Path

CONFIG = "config.json"  # says in each folder which kind of model it holds


def is_hub_id(name: str | Path) -> bool:
    """True if this names something on the hub: owner/name, and no file or folder here."""
    parts = str(name).split("/")
    return len(parts) == 2 and all(parts) and parts[0] not in (".", "..", "~") and not Path(name).exists()


def model_type(name: str | Path) -> str | None:
    """The kind of model in a folder, by its config.json; None for anything else, as a hub id."""
    config = Path(name) / CONFIG
    if not config.is_file():
        return None
    try:
        return json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{config}: damaged") from error


def kind_of(name: str | Path, local_files_only: bool = False) -> str:
    """The same for a model of `transformers`, by folder or hub id; ValueError if it can be neither or is not found.

    `local_files_only`: of the hub's models, know those in its cache alone, and ask nobody.
    """
    kind = model_type(name)
    if kind is None and not is_hub_id(name):
        raise ValueError(f"{name}: neither a folder with a model nor a hub id like owner/name")
    if kind:
        return kind
    from transformers import AutoConfig  # only for names of the hub

    try:
        return AutoConfig.from_pretrained(name, local_files_only=local_files_only).model_type
    except OSError as error:  # in several lines
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from error
