# python -m results.compare_few COMMIT
"""What training on five like prompts is worth, near them and far from them: ``few_prompts/narrow.json``.

Reads the run of ``recipes/few_prompts/narrow.yaml`` in ``runs/few/snips``. The unseen prompts by
the same hand as the five are those of the source ``user`` in the bank. COMMIT is the one that trained.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from paft.bank import load_bank
from paft.files import write_json
from paft.provenance import environment
from paft.statistics.comparison import difference
from results.compare_composed import Scores, array_of, scores_of_run

ROOT = Path(__file__).parent.parent
BANK, RUN = ROOT / "recipes" / "few_prompts" / "snips.jsonl", ROOT / "runs" / "few" / "snips"
OUTPUT = ROOT / "results" / "few_prompts" / "narrow.json"
SEEDS = [0, 1, 2]


def main() -> None:
    """Write mean accuracies (percent) and differences from ``single`` (points), by kind of unseen prompt."""
    scores, bank = scores_of_run(RUN)
    alike = {p.id for p in load_bank(BANK)["test"] if p.provenance["source"] == "user"}
    records = []
    for kind, wanted in (("alike", True), ("unlike", False)):
        chosen: Scores = {
            model: {key: score for key, score in cells.items() if (key[0] in alike) is wanted}
            for model, cells in scores.items()
        }
        single = array_of(chosen, "single", SEEDS)
        for method in sorted({method for method, _ in scores}):
            own = array_of(chosen, method, SEEDS)
            record = {"prompts": kind, "n_prompts": own.shape[1], "method": method}
            record["mean"] = round(100 * float(own.mean()), 1)
            if method != "single":
                found = difference(own, single, ["mean"])["mean"]
                points = {"value": found.value, "low": found.interval.low, "high": found.interval.high}
                record["difference"] = {name: round(100 * value, 1) for name, value in points.items()}
            records.append(record)
    about = {"seeds": SEEDS, "bank_fingerprint": bank, "trained_at": sys.argv[1]}
    write_json(OUTPUT, {"schema": 1, **about, "records": records, "environment": environment()})
    print(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
