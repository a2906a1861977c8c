"""Pictures and captions from outside: read, checked, split by picture, decoded once.

A set is a `CaptionData`, whether it comes from the hub, from parquet, from a folder or from our own brush. A list of
pairs from the web becomes such a folder: downloaded, then filtered.

Read in this order:
    photos: one photograph, upright and RGB, or one clear error.
    captions: sets of pictures with their captions.
    caption_files: the text files that come with such sets, and lists of splits.
    open_clip_csv: a set written as the csv that open_clip trains on.
    decoded: the pictures of a set, decoded once and kept.
    web_pairs: lists of pairs with the addresses of their pictures.
    fetch: one file from the web, with bounds on time and size.
    download: the pictures of such a list.
    filtering: the pairs that are worth learning from.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "photos": ["MAX_SIDE", "SUFFIXES", "ImageError", "is_blank", "load_image", "squash"],
        "captions": [
            "DRAWN",
            "CaptionData",
            "LazyPictures",
            "Splits",
            "alternate",
            "drawn_landscapes",
            "flatten",
            "load_captions",
            "read_parquet",
        ],
        "caption_files": ["in_split", "read_caption_file", "read_open_clip_csv", "read_split_list"],
        "open_clip_csv": ["write_open_clip_csv"],
        "decoded": ["PixelArray", "squashed"],
        "web_pairs": ["PairFile", "WebPair", "write_rows"],
        "fetch": ["Limits", "fetch_file"],
        "download": ["FAILURES", "Counts", "download_images", "in_threads", "is_plain"],
        "filtering": ["Rules", "filter_pairs"],
    },
)
