"""memory, in a process of its own: the setting holds until it ends."""

import os
import platform
import subprocess
import sys

import pytest

CHILD = """
import ctypes, resource, sys
import torch
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: pages of 4 KiB on every machine
from helpers.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
for _ in range(20):
    torch.ones(20_000_000)  # 80 MB
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def child(mode: str) -> tuple[bool, int]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run([sys.executable, "-c", CHILD, mode], env=own, capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_freed_memory_is_used_again() -> None:
    """Each of the twenty tensors would fault on its 20,000 pages anew."""
    (kept, few), (_, many) = child("keep"), child("default")
    assert kept and many - few > 200_000


def test_elsewhere_nothing_happens(monkeypatch) -> None:
    from helpers import memory

    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert not memory.keep_freed_memory()
