"""`load_image`: the right pixels from every kind of file, one clear line for everything else."""

import base64
import os
import struct
import warnings

import numpy as np
import pytest
from PIL import Image

from helpers.data import MAX_SIDE, ImageError, is_blank, load_image
from tests.samples import png_header

RED, WHITE, BLUE = (255, 0, 0), (255, 255, 255), (0, 0, 255)

HEIC = base64.b64decode(  # `photo()`, written by libheif
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAA"
    "AAAERAAAEAAQAAAAABoQABAAAAAAAAAIcAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/WlwcnAA"
    "AADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkA"
    "AAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAA"
    "AAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEHBpeGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAI"
    "9tZGF0AAAAgygBrwngPfMi///yPzf//LDOy/vFxFe//8dbw7/Ulg//5BV6YSgwK4fJZOV/OjuvTe0nzRSLF6VXROUsfyV5YE0dz5ScPKu0k7mr"
    "R5Zm03rO8lbypFTqxOw5etvY1hyVJ2YWxFMxWkiECHU6E8t7/aXrC6g/pw39+aqK+UFz2Mj7hoeO"
)

# What the primaries of other colour spaces are in the ICC's own, one column a primary (X, Y, Z), and their gamma.
COLOUR_SPACES = {
    "Display P3": ([[0.5151, 0.2920, 0.1571], [0.2412, 0.6922, 0.0666], [-0.0011, 0.0419, 0.7841]], 2.2),
    "Adobe RGB": ([[0.6097, 0.2053, 0.1492], [0.3111, 0.6257, 0.0632], [0.0195, 0.0609, 0.7446]], 2.2),
    "ProPhoto": ([[0.7977, 0.1352, 0.0313], [0.2880, 0.7119, 0.0001], [0.0000, 0.0000, 0.8249]], 1.8),
}
SRGB = [[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]]


@pytest.fixture(autouse=True)
def no_warnings():
    """Not one input here may make the reader see a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def photo(width=64, height=48):
    """Left half red, right half blue."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(BLUE, (width // 2, 0, width, height))
    return picture


def icc_profile(columns, gamma):
    """A profile of primaries and a gamma, as bytes (ICC.1:2001, a monitor's)."""

    def xyz(values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(gamma * 256))
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": text, b"wtpt": xyz((0.9642, 1, 0.8249)), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    tags |= {name: xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), np.transpose(columns), strict=True)}
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"\0" * 4, 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def assert_colour(picture, at, colour, tolerance=6):
    assert np.abs(np.subtract(picture.getpixel(at), colour)).max() <= tolerance, (at, picture.getpixel(at))


def stored_mode(path):
    with Image.open(path) as picture:
        return picture.mode


# The right pixels


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp", "a.gif", "a.tif", "a.avif", "png_named.jpg"])
def test_formats(tmp_path, name):
    path = tmp_path / name
    photo().save(path, format="PNG" if name == "png_named.jpg" else None)
    picture = load_image(path)
    assert (picture.mode, picture.size) == ("RGB", (64, 48))
    assert_colour(picture, (10, 20), RED)
    assert_colour(picture, (54, 20), BLUE)


def test_path_may_be_text_and_file_may_go(tmp_path):
    path = tmp_path / "秋 山.png"
    photo().save(path)
    picture = load_image(str(path))
    path.unlink()
    assert_colour(picture, (10, 20), RED)


def test_cmyk_jpeg(tmp_path):
    path = tmp_path / "cmyk.jpg"
    photo().convert("CMYK").save(path)
    assert stored_mode(path) == "CMYK"
    picture = load_image(path)
    assert_colour(picture, (10, 20), RED, tolerance=20)
    assert_colour(picture, (54, 20), BLUE, tolerance=20)


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_sixteen_bits_are_scaled(tmp_path, name):
    path = tmp_path / name
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (32, 1))
    Image.fromarray(ramp).save(path)
    assert stored_mode(path) == "I;16"
    row = np.asarray(load_image(path))[16, :, 0].astype(int)
    assert (row[0], row[-1]) == (0, 255)
    assert (np.diff(row) >= 0).all() and len(set(row)) > 250
    assert abs(row[128] - 128) <= 1


def test_float_and_int_greys_are_stretched(tmp_path):
    for dtype in (np.float32, np.int32):
        path = tmp_path / f"{np.dtype(dtype)}.tif"
        Image.fromarray(np.tile(np.arange(0, 6400, 100, dtype=dtype), (32, 1))).save(path)
        row = np.asarray(load_image(path))[16, :, 0].astype(int)
        assert (row[0], row[-1]) == (0, 255) and abs(row[32] - 130) <= 1


def test_transparency_lies_over_white(tmp_path):
    rgba = photo().convert("RGBA")
    rgba.paste((0, 0, 0, 0), (0, 0, 64, 24))  # the upper half is see-through, its hidden colour black
    rgba.paste((255, 0, 0, 128), (0, 24, 16, 48))
    rgba.save(tmp_path / "rgba.png")
    rgba.save(tmp_path / "rgba.webp", lossless=True)
    rgba.convert("LA").save(tmp_path / "la.png")
    keyed = photo()
    keyed.paste((1, 2, 3), (0, 0, 64, 24))
    keyed.save(tmp_path / "rgb_key.png", transparency=(1, 2, 3))
    palette = keyed.quantize(3)
    palette.save(tmp_path / "p.png", transparency=palette.getpixel((0, 0)))
    palette.save(tmp_path / "p.gif", transparency=palette.getpixel((0, 0)))
    for name in ("rgba.png", "rgba.webp", "la.png", "rgb_key.png", "p.png", "p.gif"):
        picture = load_image(tmp_path / name)
        assert picture.mode == "RGB"
        assert_colour(picture, (32, 8), WHITE)
        if name != "la.png":
            assert_colour(picture, (54, 40), BLUE)
    assert_colour(load_image(tmp_path / "rgba.png"), (8, 40), (255, 127, 127))


def test_colour_key_is_applied_before_shrinking(tmp_path):
    stripes = np.zeros((40, 3200, 3), np.uint8)  # every other column is black, and black is see-through
    stripes[:, ::2] = RED
    stripes[20:] = BLUE
    Image.fromarray(stripes).save(tmp_path / "key.png", transparency=(0, 0, 0))
    assert_colour(load_image(tmp_path / "key.png"), (800, 5), (255, 127, 127), tolerance=12)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    upright = photo()
    upright.paste(WHITE, (0, 0, 32, 24))  # four corners, told apart: white, blue, red, blue-green
    upright.paste((0, 200, 100), (32, 24, 64, 48))
    how = Image.Transpose
    undo = [None, how.FLIP_LEFT_RIGHT, how.ROTATE_180, how.FLIP_TOP_BOTTOM]
    undo += [how.TRANSPOSE, how.ROTATE_90, how.TRANSVERSE, how.ROTATE_270]
    turn = undo[orientation - 1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    (upright.transpose(turn) if turn is not None else upright).save(
        tmp_path / "t.jpg", exif=exif, quality=95, subsampling=0
    )
    picture = load_image(tmp_path / "t.jpg")
    assert picture.size == (64, 48)
    for at in ((10, 10), (54, 10), (10, 40), (54, 40)):
        assert_colour(picture, at, upright.getpixel(at))


def test_broken_exif_is_no_obstacle(tmp_path):
    photo().save(tmp_path / "odd.jpg", exif=b"Exif\0\0II*\0garbage that is no directory")
    assert load_image(tmp_path / "odd.jpg").size == (64, 48)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_animation_gives_first_frame(tmp_path, name):
    frames = [photo(32, 32), photo(32, 32).rotate(90), Image.new("RGB", (32, 32), WHITE)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
    assert_colour(load_image(tmp_path / name), (8, 24), RED)


@pytest.mark.parametrize("name", ["big.jpg", "big.png"])
def test_large_is_shrunk(tmp_path, name):
    photo(4000, 3000).save(tmp_path / name)
    picture = load_image(tmp_path / name)
    assert picture.size == (MAX_SIDE, 1200)
    assert_colour(picture, (400, 600), RED)
    assert_colour(picture, (1200, 600), BLUE)


def test_large_jpeg_is_never_decoded_in_full(tmp_path, monkeypatch):
    photo(6400, 4800).save(tmp_path / "big.jpg")
    loaded = []
    load = Image.Image.load
    monkeypatch.setattr(Image.Image, "load", lambda self: loaded.append(self.size) or load(self))
    load_image(tmp_path / "big.jpg")
    assert max(loaded)[0] <= 3200


@pytest.mark.parametrize("space", COLOUR_SPACES)
def test_colours_are_those_that_the_profile_means(tmp_path, space):
    """One colour of sRGB, as a camera of another colour space would write it, comes back."""
    meant = np.array([200, 90, 60]) / 255
    linear = ((meant + 0.055) / 1.055) ** 2.4  # IEC 61966-2-1
    columns, gamma = COLOUR_SPACES[space]
    stored = 255 * (np.linalg.inv(columns) @ SRGB @ linear) ** (1 / gamma)
    picture = photo()
    picture.paste(tuple(stored.round().astype(int)), (0, 0, 32, 48))
    assert np.abs(stored - 255 * meant).max() > 10
    picture.save(tmp_path / "wide.png", icc_profile=icc_profile(columns, gamma))
    assert_colour(load_image(tmp_path / "wide.png"), (10, 20), 255 * meant, tolerance=2)


def test_a_grey_profile_is_applied(tmp_path):
    picture = Image.fromarray(np.tile(np.arange(0, 256, 4, dtype=np.uint8), (32, 1)))
    linear = icc_profile(COLOUR_SPACES["Adobe RGB"][0], 1.0)
    grey = linear.replace(b"RGB XYZ", b"GRAYXYZ").replace(b"rTRC", b"kTRC")
    picture.save(tmp_path / "grey.png", icc_profile=grey)
    assert abs(load_image(tmp_path / "grey.png").getpixel((32, 16))[0] - 188) <= 2  # half the light


@pytest.mark.parametrize("profile", [b"no profile", icc_profile(SRGB, 2.2)[:140]], ids=["none", "cut"])
def test_a_broken_profile_is_no_obstacle(tmp_path, profile):
    photo().save(tmp_path / "a.png", icc_profile=profile)
    assert_colour(load_image(tmp_path / "a.png"), (10, 20), RED, tolerance=0)


@pytest.mark.parametrize("name", ["a.heic", "a.jpg"])
def test_heic_by_its_content(tmp_path, name):
    (tmp_path / name).write_bytes(HEIC)
    picture = load_image(tmp_path / name)
    assert (picture.mode, picture.size) == ("RGB", (64, 48))
    assert_colour(picture, (10, 20), RED, tolerance=12)
    assert_colour(picture, (54, 20), BLUE, tolerance=12)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_greys_of_fewer_bits_in_sixteen(tmp_path, bits):
    ramp = np.tile(np.linspace(0, 2**bits - 1, 256).astype(np.uint16), (32, 1))
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    row = np.asarray(load_image(tmp_path / "deep.png"))[16, :, 0].astype(int)
    assert (row[0], row[-1]) == (0, 255) and abs(row[128] - 128) <= 1


def test_a_jpeg_without_its_last_bytes(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8))
    noise.save(tmp_path / "whole.jpg")
    data, whole = (tmp_path / "whole.jpg").read_bytes(), load_image(tmp_path / "whole.jpg")
    (tmp_path / "no_end.jpg").write_bytes(data[:-2])
    assert load_image(tmp_path / "no_end.jpg") == whole
    (tmp_path / "cut.jpg").write_bytes(data[: int(0.92 * len(data))])
    cut = load_image(tmp_path / "cut.jpg")
    assert cut.width == 300 and 270 <= cut.height < 300, cut.size
    assert cut.crop((0, 0, 300, 256)) == whole.crop((0, 0, 300, 256))


# One clear line


def bad_inputs(folder):
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("床前明月光", encoding="utf-8")
    (folder / "folder.jpg").mkdir()
    photo(300, 300).save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:900])
    photo(300, 300).save(folder / "cut.png")
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:200])
    photo(15, 300).save(folder / "small.png")
    photo(20, 4000).save(folder / "thread.png")
    png_header(folder / "bomb_over_own_limit.png", 12_001, 10_000)  # Pillow would only warn
    png_header(folder / "bomb_over_pillows_limit.png", 60_000, 60_000)  # Pillow would raise its own error
    photo(300, 300).save(folder / "half.jpg", quality=100)
    (folder / "half.jpg").write_bytes((folder / "half.jpg").read_bytes()[:-1500])
    Image.new("RGB", (300, 300), BLUE).save(folder / "blank.jpg")
    Image.new("RGBA", (300, 300), (0, 0, 0, 0)).save(folder / "see_through.png")
    photo().save(folder / "raw.tif", tiffinfo={50706: b"\1\4\0\0"})
    return {
        "half.jpg": r"damaged \(the lower \d\d% of the picture",
        "blank.jpg": "blank",
        "see_through.png": "blank",
        "raw.tif": "raw file",
        "empty.jpg": "empty",
        "text.jpg": "not a picture",
        "folder.jpg": "folder",
        "missing.jpg": "no such file",
        "cut.jpg": "damaged",
        "cut.png": "damaged",
        "small.png": "too small",
        "thread.png": "too narrow",
        "bomb_over_own_limit.png": "megapixels",
        "bomb_over_pillows_limit.png": "megapixels",
    }


def test_bad_files(tmp_path):
    for name, reason in bad_inputs(tmp_path).items():
        with pytest.raises(ImageError, match=reason) as caught:
            load_image(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / name)) and "\n" not in message


def test_header_just_under_the_limit_passes_the_size_check(tmp_path):
    with pytest.raises(ImageError, match="damaged"):  # between Pillow's limits, refused for its missing data
        load_image(png_header(tmp_path / "big.png", 12_000, 10_000))


def test_no_permission(tmp_path, monkeypatch):
    path = tmp_path / "locked.jpg"
    photo().save(path)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root, and Windows, read it all the same

        def refuse(*args, **kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(ImageError, match="locked.jpg: no permission"):
        load_image(path)


def test_blank_is_not_dim():
    assert is_blank(Image.new("RGB", (40, 40), WHITE))
    grain = np.random.default_rng(0).normal(128, 5, (400, 400, 3)).clip(0, 255).astype(np.uint8)
    assert is_blank(Image.fromarray(grain)), "an empty wall, as a sensor sees it"
    sand = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    assert not is_blank(Image.fromarray(sand))
    mist = Image.linear_gradient("L").point(lambda grey: 200 + grey // 32).convert("RGB")
    assert not is_blank(mist)
