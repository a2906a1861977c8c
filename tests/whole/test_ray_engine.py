"""--engine ray: the same job on Ray Data, here on one machine with two actors and the embedded models."""

import json
import os
import sys
from pathlib import Path

import pytest

from helpers import __main__ as cli

WISHES = ("--n", "1", "--form", "5x4", "--engine", "ray")


@pytest.fixture(scope="module")
def two_cores():
    from helpers.pipeline import import_ray

    ray = import_ray()  # with the settings that keep it quiet
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture
def photos(tmp_path, pictures, monkeypatch) -> list[str]:
    """Twelve and a broken one, by their names from the folder where the command is given."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for number in range(12):
        pictures[number % 5].rotate(number, expand=True).save(f"photos/{number:02d}.png")
    Path("photos/broken.png").write_bytes(Path("photos/00.png").read_bytes()[:60])
    return [f"photos/{number:02d}.png" for number in range(12)]


def errors(capsys) -> list[str]:
    return [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if line.startswith("error: ")]


def test_every_photo_once_and_the_broken_one_reported(two_cores, photos, capsys) -> None:
    command = ["poem", "photos/*.png", *WISHES, "--out", "poems.jsonl", "--cards", "cards", "--batch-size", "2"]
    assert cli.main(command) == 2
    records = [json.loads(line) for line in Path("poems.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(record["image"] for record in records) == photos
    assert all(record["checks"]["form"] == "5x4" and Path(record["card"]).is_file() for record in records)
    (error,) = errors(capsys)
    assert "broken.png" in error
    failed = Path("poems.jsonl.run/failed.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["image"] for line in failed] == ["photos/broken.png"]

    before = Path("poems.jsonl").read_bytes()
    assert cli.main(command[:-2] + ["--engine", "local"]) == 2  # the other engine goes on with the same file
    assert Path("poems.jsonl").read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="such names cannot be made elsewhere")
def test_a_name_that_is_not_utf8_stops_no_other(two_cores, photos, capsys) -> None:
    Path(photos[0]).rename(os.fsdecode(b"photos/1\xff.png"))
    assert cli.main(["poem", "photos/0*.png", "photos/1*.png", *WISHES, "--out", "poems.jsonl"]) == 2
    records = [json.loads(line) for line in Path("poems.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted(record["image"] for record in records) == photos[1:]
    (error,) = errors(capsys)
    assert "1\\udcff.png" in error


def test_a_request_that_no_picture_can_meet_is_one_line(two_cores, photos, capsys) -> None:
    assert cli.main(["poem", *photos[:2], *WISHES, "--keywords", "春,𪚥"]) == 2
    (error,) = errors(capsys)
    assert "𪚥" in error


def test_without_ray_it_says_how_to_install_it(photos, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert cli.main(["poem", *photos[:2], *WISHES]) == 2
    (error,) = errors(capsys)
    assert "pip install '.[scale]'" in error
