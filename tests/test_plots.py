"""plots: what the figures show, where it can be read off them."""

from io import BytesIO

import matplotlib
import numpy as np
import pytest
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.offsetbox import AnnotationBbox

from helpers.plots import (
    display_jpeg,
    shortened,
    show_gallery,
    show_retrieval,
    show_similarity,
    show_training,
    thumbnail,
    thumbnails_along,
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def boxes(ax) -> list[AnnotationBbox]:
    return [artist for artist in ax.get_children() if isinstance(artist, AnnotationBbox)]


def test_thumbnail_keeps_the_shape_and_the_picture(pictures) -> None:
    wide = Image.new("RGB", (400, 100), "red")
    assert thumbnail(wide).shape == (24, 96, 3) and wide.size == (400, 100)
    assert thumbnail(pictures[0]).shape == (30, 40, 3)  # never enlarged


@pytest.mark.parametrize("place", ["above", "left"])
def test_thumbnails_take_the_place_of_the_ticks(pictures, place: str) -> None:
    fig, ax = plt.subplots()
    ax.imshow(np.zeros((5, 5)))
    thumbnails_along(ax, pictures, place)
    fig.canvas.draw()
    at = [box.xy[0] if place == "above" else box.xy[1] for box in boxes(ax)]
    assert at == list(range(5))
    assert len(ax.get_xticks()) == (0 if place == "above" else len(ax.get_xticks()))
    assert place == "above" or len(ax.get_yticks()) == 0


def test_thumbnails_elsewhere_are_refused(pictures) -> None:
    with pytest.raises(ValueError, match="'below'"):
        thumbnails_along(plt.subplots()[1], pictures, "below")


def test_similarity_has_texts_in_rows_and_pictures_in_columns(pictures) -> None:
    cosines = np.arange(15).reshape(5, 3) / 15  # 5 pictures, 3 texts
    fig = show_similarity(pictures, ["one", "two", "three"], cosines)
    ax = fig.axes[0]
    assert ax.images[0].get_array().shape == (3, 5)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two", "three"]
    assert len(boxes(ax)) == 5
    assert ax.texts[1].get_text() == f"{cosines[1, 0]:.2f}"  # first text, second picture
    fig.canvas.draw()


def test_gallery_leaves_no_empty_frame(pictures) -> None:
    fig = show_gallery(pictures, list("abcde"), columns=3)
    assert [ax.get_title() for ax in fig.axes] == [*"abcde", ""]
    assert not fig.axes[-1].axison and not fig.axes[-1].images


def test_retrieval_shows_the_nearest_first(pictures) -> None:
    cosines = np.array([[0.1, 0.9, 0.3, 0.2, 0.0], [0.5, 0.1, 0.2, 0.3, 0.4]])
    fig = show_retrieval(["x", "y"], pictures, cosines, count=3)
    assert [ax.get_title() for ax in fig.axes] == ["0.90", "0.30", "0.20", "0.50", "0.40", "0.30"]
    assert fig.axes[0].get_ylabel() == "x" and fig.axes[3].get_ylabel() == "y"
    assert np.array_equal(fig.axes[0].images[0].get_array(), thumbnail(pictures[1], 120))


def test_training_curves() -> None:
    fig = show_training([3.0, 2.0, 1.0], {"R@1": [10, 20], "R@10": [50, 70]}, chance_loss=2.5)
    left, right = fig.axes
    assert left.lines[0].get_ydata().tolist() == [3, 2, 1] and left.lines[1].get_ydata()[0] == 2.5
    assert [line.get_label() for line in right.lines] == ["R@1", "R@10"]
    assert right.lines[0].get_xdata().tolist() == [1, 2]
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in fig.axes)


def test_a_figure_as_jpeg(pictures, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    fig = show_gallery(pictures, list("abcde"))
    display_jpeg(fig)
    assert Image.open(BytesIO(shown[0].data)).format == "JPEG"
    assert not plt.fignum_exists(fig.number)


def test_shortened() -> None:
    assert shortened("a boat") == "a boat"
    assert shortened("a boat on the river", 10) == "a boat on\nthe river"
    assert shortened("a boat on the wide river", 10) == "a boat on\nthe wide…"
    assert shortened("江上一叶小舟", 8) == "江上一叶\n小舟"
    assert shortened("江上一叶小舟", 4) == "江上\n一叶…"
    assert shortened("unbreakable", 4) == "unbreakable"
