"""What a check prints for an answer."""

from collections.abc import Callable

import pytest

from helpers import checks


@pytest.fixture
def verdict(capsys) -> Callable[[str, Callable], str]:
    """The one line that the check of this name prints for a function."""

    def call(name: str, answer: Callable) -> str:
        getattr(checks, name)(answer)
        out = capsys.readouterr().out
        assert out.count("\n") == 1, out
        return out

    return call
