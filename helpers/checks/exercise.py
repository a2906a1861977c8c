"""The exercises check themselves: each `check_...` prints "ok", or "not yet" with a hint, and never raises.

A notebook calls `check_recall(recall)` right below the empty function, so that an unsolved notebook still runs
from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import numpy as np


class NotYet(Exception):
    """An answer that is not right; the message is the hint."""


def exercise(title: str) -> Callable[[Callable], Callable[[Callable], None]]:
    """Make a function that raises `NotYet` into a check that prints one line."""

    def decorate(examine: Callable[[Callable], None]) -> Callable[[Callable], None]:
        @wraps(examine)
        def check(fn: Callable) -> None:
            try:
                examine(fn)
            except NotYet as hint:
                print(f"{title}: not yet. {hint}")
            except Exception as error:  # the notebook goes on after any error in the reader's code
                print(f"{title}: not yet. It raised {type(error).__name__}: {error}")
            else:
                print(f"{title}: ok")

        return check

    return decorate


def answer(fn: Callable, *inputs: object) -> object:
    """The result of `fn(*inputs)`. Raises NotYet if the function is still empty."""
    result = fn(*inputs)
    if result is None or result is ...:
        raise NotYet("The function returns nothing so far: replace the `...`.")
    return result


def expect(condition: bool, hint: str) -> None:
    """Raises NotYet with the hint unless the condition holds."""
    if not condition:
        raise NotYet(hint)


def as_array(value: object, shape: tuple[int, ...]) -> np.ndarray:
    """An array of floats of this shape. Raises NotYet for another shape."""
    array = np.asarray(value, dtype=float)
    expect(array.shape == shape, f"The result should have the shape {shape}, not {array.shape}.")
    return array
