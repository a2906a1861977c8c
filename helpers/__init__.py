"""Image to Poem."""

from importlib import import_module

from wrapt import register_post_import_hook


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
