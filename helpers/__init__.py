"""From a photograph to a classical Chinese quatrain: the packages in reading order.

Each has a face, its `__init__.py`, which names its files; only faces are imported from outside.

    storage: files that appear whole or not at all, the cache, weights in eight bits, the hub.
    drawn: the mini set, landscapes drawn from a seed, with captions in two languages.
    data: photographs and captions from outside, downloaded, filtered, split, decoded.
    training: one loop for all systems.
    metrics: figures as plain functions on arrays and strings.
    clip: a CLIP of our own (notebook 01).
    chinese_clip: pictures and Chinese texts in one space (notebook 02).
    keywords: the words, and the lines of verse, that a picture shows.
    verse: the rules of the quatrain, judged in finished poems and enforced while a line is written.
    poems: a T5 that writes the next line (notebook 03).
    captioning: what a picture shows, in a sentence (notebook 05; without pairs: 06).
    coca: a model that finds and that tells (notebook 06).
    cards: a photograph with its poem, written by brush.
    pipeline: the whole way, for one picture or a million (notebook 04).
    evaluate: models measured by judges that had no part in the choice.
    app: the page in the browser.
    commands: the command line.
    checks: the exercises of the notebooks check themselves.

Beside them: config (the profiles, and which device), options (all that can be asked of a poem, a card or a training),
characters (which of them are Chinese), plots (figures of the notebooks).
"""

import os
from importlib import import_module

from wrapt import register_post_import_hook

# OpenMP's threads spin while they wait for one another. Beside other busy processes a thread that spins holds the core
# that the one it waits for needs: a poem then takes seconds to minutes. Passive threads sleep instead. On an idle
# machine, falling asleep at once costs a tenth to a third, so GNU's OpenMP, which torch has on Linux, may spin for some
# microseconds first. OpenMP reads this once, when torch (or faiss) is first imported; so it stands here, where every
# way in comes by.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def _register_with_transformers() -> None:
    """Have transformers' Auto classes know our models as soon as both are imported.

    Registering needs the classes, and those need torch: too much for a command that only prints its help. So each of
    our modules, which registers its classes at its end, is imported when the Auto class that it belongs to is.
    """
    for auto, ours in (("configuration", "configuration"), ("modeling", "model"), ("processing", "processor")):
        module = f"helpers.clip.{ours}"
        register_post_import_hook(
            lambda _, module=module: import_module(module), f"transformers.models.auto.{auto}_auto"
        )


_register_with_transformers()
