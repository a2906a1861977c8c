"""Photographs from outside: whatever is in the file, an upright RGB image comes out, or one clear error."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, ImageStat, UnidentifiedImageError

MAX_PIXELS = 120_000_000  # by the header: a 108-megapixel telephone passes, a bomb does not
MAX_SIDE = 1600  # pixels; nothing downstream needs more
MIN_SIDE = 16  # pixels, after scaling to MAX_SIDE: below that there is nothing to see
MAX_MISSING = 0.1  # of a picture's height, at its lower edge
BLANK_RANGE = 4  # of 255, between the darkest and the brightest place: below that there is nothing to see either
SENSOR_NOISE = 12.0  # standard deviation of a channel, of 255

# Only raster formats, HEIF by a plugin: Pillow would otherwise also hand PostScript to an interpreter.
FORMAT_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WebP": (".webp",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
}
SUFFIXES = tuple(suffix for suffixes in FORMAT_SUFFIXES.values() for suffix in suffixes)
_FORMATS = tuple(name.upper() for name in FORMAT_SUFFIXES)  # as Pillow calls them
_NAMES = " or ".join(", ".join(FORMAT_SUFFIXES).rsplit(", ", 1))
_REASONS: dict[type[Exception], str] = {
    FileNotFoundError: "there is no such file",
    PermissionError: "no permission to read it",
    UnidentifiedImageError: f"not a picture in {_NAMES}",
    Image.DecompressionBombError: f"more than {MAX_PIXELS // 10**6} megapixels",
}
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")  # ISO/IEC 23008-12, annex B
_DNG_VERSION = 50706  # the TIFF tag by which a camera's raw file in Adobe's format is known
_GREY_DEPTHS = (10, 12, 14, 16)  # bits, of cameras, scanners and microscopes
_MISSING = 128  # what libjpeg gives where a file has ended: the middle grey


class ImageError(ValueError):
    """A file that cannot be used as a photograph; the message is one line that names the file."""


def load_image(path: str | os.PathLike[str]) -> Image.Image:
    """Read a photograph as it is meant to be seen.

    Applies the EXIF orientation and the colour profile, lays transparent pixels over white, scales deep greys to 8
    bits, takes the first frame of an animation, and shrinks the image to at most `MAX_SIDE` pixels on its long side. A
    JPEG whose end is missing is read as far as it goes, if that is nearly all.

    Args:
        path: a file in one of the formats above; `~` is understood.

    Returns:
        An image of mode RGB in the colours of sRGB, independent of the file.

    Raises:
        ImageError: the file is missing, unreadable, empty, damaged, not a picture, a camera's raw file, larger than
            `MAX_PIXELS`, narrower than `MIN_SIDE`, or blank.
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
            image = _read(path)
    except ImageError:
        raise
    except Exception as error:  # a damaged file makes Pillow's decoders raise nearly anything
        detail = " ".join(str(error).split()) or type(error).__name__
        reason = next((text for kind, text in _REASONS.items() if isinstance(error, kind)), None)
        raise ImageError(f"{path}: {reason or f'damaged or unsupported ({detail})'}") from error
    if is_blank(image):
        raise ImageError(f"{path}: a blank picture, of one colour throughout")
    return image


def is_blank(image: Image.Image) -> bool:
    """True if an RGB picture has nearly the same colour everywhere, but for the noise of a sensor."""
    small = image.resize((32, 32), Image.Resampling.BOX)
    even = all(high - low <= BLANK_RANGE for low, high in small.getextrema())
    return even and max(ImageStat.Stat(image).stddev) <= SENSOR_NOISE  # fine grain is no blank picture either


def _read(path: Path) -> Image.Image:
    try:
        with _open(path) as image:
            _check_header(image, path)
            return _as_rgb(image)
    except OSError as error:
        if "truncated" not in str(error):
            raise
    with _open(path, end=b"\xff\xd9") as image:  # the marker that ends a JPEG; other formats fail as before
        return _as_rgb(_cut_missing(image, path))


def _open(path: Path, end: bytes = b"") -> Image.Image:
    """The picture in a file, of which only the header is read yet; `end` is put after the file's last byte."""
    with open(path, "rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:] in _HEIF_BRANDS:
        from pi_heif import register_heif_opener  # a C library that few photographs need

        register_heif_opener()
    source = io.BytesIO(path.read_bytes() + end) if end else path
    return Image.open(source, formats=[name for name in _FORMATS if name != "HEIF" or name in Image.OPEN])


def _cut_missing(image: Image.Image, path: Path) -> Image.Image:
    """A picture without the lower rows that its file lacks."""
    pixels = np.asarray(image).reshape(image.height, -1)  # (H, W) or (H, W, C) -> (H, W·C)
    there = np.flatnonzero((pixels != _MISSING).any(1))
    rows = int(there[-1]) + 1 if len(there) else 0
    missing = 1 - rows / image.height
    if missing > MAX_MISSING:
        raise ImageError(f"{path}: damaged (the lower {100 * missing:.0f}% of the picture are missing)")
    return image.crop((0, 0, image.width, rows))


def _scale(size: tuple[int, int]) -> float:
    return min(1, MAX_SIDE / max(size))


def _check_header(image: Image.Image, path: Path) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"{path}: {width} x {height} px is more than {MAX_PIXELS // 10**6} megapixels")
    if min(image.size) * _scale(image.size) < MIN_SIDE:
        raise ImageError(f"{path}: {width} x {height} px is too small or too narrow")
    if image.format == "TIFF" and _DNG_VERSION in image.tag_v2:  # all that Pillow can read of it is a thumbnail
        raise ImageError(f"{path}: a camera's raw file, not a picture (export it as JPEG)")


def _as_rgb(image: Image.Image) -> Image.Image:
    """Shrink first and convert afterwards where that is exact, so that a huge photograph stays cheap."""
    profile = image.info.get("icc_profile")
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
    return _srgb(image, profile)


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The colours that a profile (ICC.1:2022) says are meant, as sRGB: Display P3 of a telephone, Adobe RGB, CMYK."""
    if not profile:
        return image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[source.profile.xcolor_space.strip()]
        if "sRGB" in ImageCms.getProfileDescription(source) or (mode == "CMYK") != (image.mode == "CMYK"):
            return image.convert("RGB")
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image.convert(mode), source, srgb, outputMode="RGB")
    except Exception:  # broken metadata is no reason to refuse a good picture
        return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale deep greys (H, W) to bytes; Pillow's own `convert` would clip them.

    Sixteen bits may hold fewer: white is the greatest number of the smallest usual depth that holds the picture.
    """
    grey = np.asarray(image)
    if image.mode.startswith("I;16"):
        depth = next(bits for bits in _GREY_DEPTHS if int(grey.max()) < 2**bits)
        eight = grey >> (depth - 8)
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
