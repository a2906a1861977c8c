"""The tests that all exercises share, made from a table of right answers and one of typical mistakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from helpers import checks

Mistake = tuple[str, Callable, str]  # name of the check, wrong answer, a piece of the hint for it


def answer_tests(right: dict[str, Callable], wrong: Sequence[Mistake]) -> tuple[Callable, Callable, Callable]:
    """Three parametrised tests: right answers are ok, an empty function is not yet, each mistake gets its hint."""

    @pytest.mark.parametrize("name", right)
    def right_answer(name: str, capsys: pytest.CaptureFixture[str]) -> None:
        getattr(checks, name)(right[name])
        assert capsys.readouterr().out.endswith(": ok\n")

    @pytest.mark.parametrize("name", right)
    def empty_function(name: str, capsys: pytest.CaptureFixture[str]) -> None:
        getattr(checks, name)(lambda *inputs: ...)
        assert ": not yet. The function returns nothing so far" in capsys.readouterr().out

    @pytest.mark.parametrize(("name", "fn", "hint"), wrong, ids=[f"{name}: {hint}" for name, _, hint in wrong])
    def mistake(name: str, fn: Callable, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
        getattr(checks, name)(fn)
        out = capsys.readouterr().out
        assert ": not yet. " in out and hint in out, out

    return right_answer, empty_function, mistake
