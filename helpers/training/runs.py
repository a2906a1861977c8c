"""A training run's folder: begun once, resumed only as the run it was."""

from __future__ import annotations

import json
from pathlib import Path

from helpers.storage import whole_file

RUN = "run.json"


def begin_run(folder: Path, settings: dict) -> None:
    """Make the folder and keep in run.json what makes two runs the same run."""
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / RUN) as unfinished:
        unfinished.write_text(json.dumps(settings, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


def check_resumable(folder: Path, settings: dict, resume: bool) -> None:
    """For a folder with checkpoints or a model: ValueError where going on would lose or mix up something."""
    if not resume:
        raise ValueError(f"{folder} holds the checkpoints of another run: --resume it, or choose another folder")
    settings = json.loads(json.dumps(settings, default=str))
    before = json.loads((folder / RUN).read_text(encoding="utf-8"))
    changed = sorted(key for key in settings | before if settings.get(key) != before.get(key))
    if changed:
        raise ValueError(f"{folder}: the run that is to be resumed had another {', '.join(changed)}")
