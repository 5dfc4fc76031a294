"""How every verb begins an output folder: claimed for one set of inputs, which are written there first.

The folder belongs to one configuration and one set of inputs (``run.json``, see
:mod:`paft.experiment.identity`); work in a folder of other inputs is refused with the name of what differs.
Beside it lie ``config.yaml``, the resolved configuration, ``bank.jsonl``, the bank, frozen, and ``.lock``,
empty, which keeps a second process out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paft.bank import Bank
from paft.errors import ResumeError
from paft.evaluate.runner import processes
from paft.experiment.identity import changes, told
from paft.files import write_json, write_text
from paft.lock import LOCK, sole_process
from paft.part import parts
from paft.report.run_folder import BANK, CONFIG, IDENTITY, refuse_former
from paft.schema import Schema
from paft.shape import read_record


@contextmanager
def working_in(output: Path) -> Iterator[None]:
    """Keep other processes out of an output folder while the block runs; see :mod:`paft.lock`.

    Of several processes that share the work the first holds the lock.

    Raises:
        ResumeError: If it holds files of something else, which gets no lock put beside it.
        PaftError: If another process works in it.
    """
    if processes()[0] > 0:
        yield
        return
    _begun(output)
    with sole_process(output):
        yield


def begin_output(output: Path, identity: dict[str, Any], config: Schema, bank: Bank) -> None:
    """Claim an output folder and write down what all work in it shares; the first process does it for all.

    Raises:
        ResumeError: If the folder belongs to other inputs.
    """
    if processes()[0] > 0:
        return
    claim_output(output, identity)
    write_text(output / CONFIG, config.to_yaml())
    bank.save(output / BANK)


def claim_output(output: Path, wanted: dict[str, Any]) -> None:
    """Make the output folder ours, or make sure it is.

    Raises:
        ResumeError: If it belongs to other inputs or holds files of something else.
    """
    path = output / IDENTITY
    if not check_output(output, wanted):
        write_json(path, wanted)
        return
    found = read_record(path, "run identity", {})
    # What an earlier version, or a run of fewer methods, did not record is known from now on.
    known = {**found, **{key: value for key, value in wanted.items() if found.get(key) is None}}
    if known != found:
        write_json(path, known)


def check_output(output: Path, wanted: dict[str, Any]) -> bool:
    """Return whether the output folder is ours already; False if it is free to be made ours.

    Raises:
        ResumeError: If it belongs to other inputs or holds files of something else.
    """
    if not _begun(output):
        return False
    found = read_record(output / IDENTITY, "run identity", {})
    changed = changes(found, wanted)
    if changed:
        shown = "; ".join(told(key, found.get(key), wanted.get(key)) for key in changed[:4])
        raise ResumeError(
            f"output {output} holds a run with other inputs ({shown}): choose another output folder, "
            "restore what changed, or delete the folder"
        )
    return True


def _begun(output: Path) -> bool:
    """Return whether a run was begun in an output folder; False if it is free.

    Raises:
        ResumeError: If it holds files of something else, or of a former version.
    """
    path = output / IDENTITY
    refuse_former(output)
    if path.exists():
        return True
    if output.exists():
        left = {path.with_name(LOCK), *parts(path)} if output.is_dir() else set()
        if not output.is_dir() or set(output.iterdir()) - left:
            raise ResumeError(
                f"output {output} is not empty and holds no PAFT run: choose another output folder"
            )
    return False
