"""`make colab`: the notebooks beside what Colab has installed; PYTHON has constraints-colab.txt and nothing else.

    PYTHON tests/whole/colab.py [NOTEBOOK.ipynb ...]    (default: all but the solutions)

Each notebook starts in a folder of its own that holds it and an uploaded image-to-poem.zip; its first cell does the
rest. Prints the minutes of each and what was installed; fails if a notebook does, or if a version has changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
ON_COLAB = "import sys\n\nsys.modules['google.colab'] = sys  # any module will do"


def main() -> None:
    notebooks = [Path(name).resolve() for name in sys.argv[1:]] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    before = installed()
    print("before:", *(f"{name}=={version}" for name, version in before.items()), flush=True)
    with TemporaryDirectory() as folder:
        os.environ["IMAGE_TO_POEM_CACHE"] = f"{folder}/cache"  # nothing is stored yet
        for path in notebooks:
            print(f"{path.stem:24} {run(path, Path(folder) / path.stem) / 60:.1f} minutes", flush=True)
    after = installed()
    added = sorted(after.keys() - before.keys())
    print("installed:", *(f"{name}=={after[name]}" for name in added))
    subprocess.run([sys.executable, *f"-m pip uninstall -qy {' '.join(added)}".split()], check=bool(added))
    replaced = [f"{name}=={before[name]} -> {after.get(name)}" for name in before if after.get(name) != before[name]]
    print("replaced:", *(replaced or ["nothing"]))
    sys.exit(bool(replaced))


def installed() -> dict[str, str]:
    """Versions by name, of all packages."""
    listing = subprocess.run([sys.executable, "-m", "pip", "list", "--format", "json"], check=True, capture_output=True)
    return {each["name"]: each["version"] for each in json.loads(listing.stdout)}


def run(path: Path, folder: Path) -> float:
    """Seconds of the notebook, run as a reader of Colab does; a cell that fails raises CellExecutionError."""
    folder.mkdir()
    zip_files(folder / "image-to-poem.zip")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(ON_COLAB))
    started = time.monotonic()
    NotebookClient(notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    nbformat.write(notebook, folder / path.name)
    return time.monotonic() - started


def zip_files(path: Path) -> None:
    """The repository as it is now, without what git ignores."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    with ZipFile(path, "w") as archive:
        for name in filter(None, names.split("\0")):
            archive.write(ROOT / name, f"image-to-poem/{name}")


if __name__ == "__main__":
    main()
