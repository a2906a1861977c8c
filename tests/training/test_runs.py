"""training.runs: a run is begun once, and resumed only as the run it was."""

import json
from pathlib import Path

import pytest

from helpers.training import RUN, begin_run, check_resumable

SETTINGS = {"lr": 1e-3, "seed": 0, "data": Path("poems"), "name": "春"}


def test_begin_run_keeps_the_settings(tmp_path) -> None:
    folder = tmp_path / "runs" / "one"
    begin_run(folder, SETTINGS)
    assert json.loads((folder / RUN).read_text(encoding="utf-8")) == SETTINGS | {"data": "poems"}
    assert [path.name for path in folder.iterdir()] == ["run.json"]  # nothing half-written beside it
    begin_run(folder, {"seed": 1})
    assert json.loads((folder / RUN).read_text(encoding="utf-8")) == {"seed": 1}


def test_the_same_run_goes_on(tmp_path) -> None:
    begin_run(tmp_path, SETTINGS)
    check_resumable(tmp_path, dict(reversed(SETTINGS.items())), resume=True)


def test_not_unless_asked(tmp_path) -> None:
    begin_run(tmp_path, SETTINGS)
    with pytest.raises(ValueError, match="--resume") as error:
        check_resumable(tmp_path, SETTINGS, resume=False)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 1}, "another seed$"),
        ({"seed": 1, "lr": 2e-3}, "another lr, seed$"),
        ({"data": Path("others")}, "another data$"),
        ({"warmup": 0.1}, "another warmup$"),  # an option that the run did not have
    ],
)
def test_other_settings_are_another_run(changes: dict, named: str, tmp_path) -> None:
    begin_run(tmp_path, SETTINGS)
    with pytest.raises(ValueError, match=named):
        check_resumable(tmp_path, SETTINGS | changes, resume=True)


def test_an_option_that_is_gone(tmp_path) -> None:
    begin_run(tmp_path, SETTINGS)
    with pytest.raises(ValueError, match="another name$"):
        check_resumable(tmp_path, {k: v for k, v in SETTINGS.items() if k != "name"}, resume=True)
