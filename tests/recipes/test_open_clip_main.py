"""recipes.coca.open_clip_main: open_clip's own training command ends well on a csv of ours."""

from helpers.data import drawn_landscapes, write_open_clip_csv
from tests.samples import start


def test_an_epoch_on_a_csv(tmp_path) -> None:
    rows = write_open_clip_csv(drawn_landscapes("train", 8, 64), "en", tmp_path / "train.csv")
    done = start(
        "-m", "recipes.coca.open_clip_main", "--model", "coca_small", "--dataset-type", "csv",
        "--train-data", tmp_path / "train.csv", "--csv-img-key", "filepath", "--csv-caption-key", "title",
        "--batch-size", rows // 2, "--epochs", 1, "--warmup", 1, "--device", "cpu", "--precision", "fp32",
        "--workers", 0, "--logs", tmp_path / "logs", "--name", "run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Caption_loss" in (tmp_path / "logs" / "run" / "out.log").read_text()
    assert (tmp_path / "logs" / "run" / "checkpoints" / "epoch_1.pt").is_file()
