"""The ground that everything stands on: what is kept on disk, and what is fetched from the hub.

Arrays that are costly are computed once, files appear whole or not at all, weights are stored in eight bits, and one
place knows which names belong to the hub. Nothing here knows pictures, poems or models of ours.

Read in this order:
    atomic: files and folders that appear whole or not at all.
    cache: keys of contents, and arrays kept under them.
    weights: weights in eight bits, and what tells two sets of weights apart.
    hub: hub ids, folders, and what kind of model a folder holds.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "atomic": ["whole_file", "whole_folder"],
        "cache": ["array_digest", "cache_folder", "cached", "digest", "file_sha256", "folder_digest"],
        "weights": [
            "INT8_INDEX",
            "INT8_WEIGHTS",
            "SCALE",
            "dequantize",
            "load_pretrained",
            "load_quantized",
            "load_strictly",
            "network_of",
            "quantize",
            "remove_weights",
            "save_quantized",
            "save_quantized_pretrained",
            "weights_digest",
        ],
        "hub": ["CONFIG", "is_hub_id", "kind_of", "model_type"],
    },
)
