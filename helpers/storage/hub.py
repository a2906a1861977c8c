"""What is on the hub and what is here: names of models and sets, and what kind of model a folder holds."""

from __future__ import annotations

import json
from pathlib import Path


def is_hub_id(name: str | Path) -> bool:
    """Whether this is to be asked of the hub: owner/name, and no file or folder here."""
    parts = str(name).split("/")
    return len(parts) == 2 and all(parts) and parts[0] not in (".", "..", "~") and not Path(name).exists()


CONFIG = "config.json"  # says in each folder which kind of model it holds


def model_type(name: str | Path) -> str | None:
    """What kind of model a folder holds, by its config.json; None for anything else, as a hub id."""
    config = Path(name) / CONFIG
    if not config.is_file():
        return None
    try:
        return json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{config}: damaged") from error


def kind_of(name: str | Path) -> str:
    """The same for a model of `transformers`, by folder or hub id; ValueError if it can be neither."""
    kind = model_type(name)
    if kind is None and not is_hub_id(name):
        raise ValueError(f"{name}: neither a folder with a model nor a hub id like owner/name")
    if kind:
        return kind
    from transformers import AutoConfig  # only for names of the hub

    return AutoConfig.from_pretrained(name).model_type


def hub_needed(*names: str | None) -> dict[str, bool]:
    """The change to a `Config` by which it asks the hub, if one of the names is to be found there."""

    return {"offline": False} if any(name and is_hub_id(name) for name in names) else {}
