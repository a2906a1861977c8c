"""Photographs from outside: whatever is in the file, an upright RGB image comes out, or one clear error."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 120_000_000  # by the header: a 108-megapixel telephone passes, a bomb does not
MAX_SIDE = 1600  # pixels; nothing downstream needs more
MIN_SIDE = 16  # pixels, after scaling to MAX_SIDE: below that there is nothing to see

# Only raster formats: Pillow would otherwise also hand PostScript to an interpreter.
FORMAT_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WebP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
}
SUFFIXES = tuple(suffix for suffixes in FORMAT_SUFFIXES.values() for suffix in suffixes)
_FORMATS = tuple(name.upper() for name in FORMAT_SUFFIXES)  # as Pillow calls them
_NAMES = " or ".join(", ".join(FORMAT_SUFFIXES).rsplit(", ", 1))
_REASONS: dict[type[Exception], str] = {
    FileNotFoundError: "there is no such file",
    PermissionError: "no permission to read it",
    UnidentifiedImageError: f"not a picture in {_NAMES} (export HEIC as JPEG)",
    Image.DecompressionBombError: f"more than {MAX_PIXELS // 10**6} megapixels",
}


class ImageError(ValueError):
    """A file that cannot be used as a photograph; the message is one line that names the file."""


def load_image(path: str | os.PathLike[str]) -> Image.Image:
    """Read a photograph as it is meant to be seen.

    Applies the EXIF orientation, lays transparent pixels over white, scales 16-bit greys to 8 bits, takes the
    first frame of an animation, and shrinks the image to at most `MAX_SIDE` pixels on its long side.

    Args:
        path: a file in one of the formats above; `~` is understood.

    Returns:
        An image of mode RGB, independent of the file.

    Raises:
        ImageError: the file is missing, unreadable, empty, damaged, not a picture, larger than `MAX_PIXELS`,
            or narrower than `MIN_SIDE`.
    """
    path = Path(os.path.expanduser(path))  # unlike Path.expanduser, it leaves a file called "~x.jpg" alone
    try:
        if path.is_dir():
            raise ImageError(f"{path}: a folder, not a picture")
        if path.stat().st_size == 0:
            raise ImageError(f"{path}: the file is empty")
        # Pillow warns of what we refuse or repair ourselves: size limits, odd EXIF, palettes.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as image:  # reads the header only
                _check_size(image.size, path)
                return _as_rgb(image)
    except ImageError:
        raise
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        detail = " ".join(str(error).split()) or type(error).__name__
        reason = next((text for kind, text in _REASONS.items() if isinstance(error, kind)), None)
        raise ImageError(f"{path}: {reason or f'damaged or unsupported ({detail})'}") from error


def _scale(size: tuple[int, int]) -> float:
    return min(1, MAX_SIDE / max(size))


def _check_size(size: tuple[int, int], path: Path) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(f"{path}: {width} x {height} px is more than {MAX_PIXELS // 10**6} megapixels")
    if min(size) * _scale(size) < MIN_SIDE:
        raise ImageError(f"{path}: {width} x {height} px is too small or too narrow")


def _as_rgb(image: Image.Image) -> Image.Image:
    """Shrink first and convert afterwards where that is exact, so that a huge photograph stays cheap."""
    if image.mode.startswith(("I", "F")):
        image = _eight_bit(image)
    elif image.mode in ("1", "P", "PA") or "transparency" in image.info:
        # Palette indices and colour keys must not be interpolated.
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    # A JPEG's decoder can skip detail, so that the full image never exists in memory. `thumbnail` asks for
    # that too, but for a square, and the short side alone may rule that out.
    scale = 2 * _scale(image.size)
    image.draft(None, (round(image.width * scale), round(image.height * scale)))
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS, reducing_gap=2)
    image = _upright(image)
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale deep greys (H, W) to bytes; Pillow's own `convert` would clip them."""
    grey = np.asarray(image)
    if image.mode.startswith("I;16"):
        eight = grey >> 8
    else:  # 32-bit integers and floats carry no white level, so they are stretched over their own range
        grey = np.nan_to_num(grey.astype(np.float32), posinf=0, neginf=0)
        low, high = float(grey.min()), float(grey.max())
        eight = (grey - low) * (255 / (high - low) if high > low else 0)
    result = Image.fromarray(eight.astype(np.uint8))
    result.info.update(image.info)  # the orientation may be here
    result.info.pop("transparency", None)
    return result


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # broken metadata is no reason to refuse a good picture
        return image


def squash(image: Image.Image, size: int) -> Image.Image:
    """The whole picture as a square, in training as afterwards: shapes suffer a little, nothing at the edge is lost."""
    return image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3)
