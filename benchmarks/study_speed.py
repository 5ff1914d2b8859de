"""One study beside its conditions one after the other: `make study-speed`, to benchmarks/study_speed.json.

A smoke study of two doses, two views and two replicates with all usual arms: how many stages it runs, what runs again
when nothing or one thing changed, and its wall time beside that of the same conditions, each run by itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import product
from pathlib import Path

from studylib.machine import processor
from studylib.run.provenance import git_state

HERE = Path(__file__).resolve().parent
DOSES, VIEWS, REPLICATES = ("1000", "100000"), ("dense", "sparse"), 2
CORES = "2"


def studylib(*words: str) -> tuple[float, str]:
    """Run a command of the study and return its seconds and what it said; one that fails ends this."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "studylib", *words], capture_output=True, text=True, check=False, cwd=HERE.parent
    )
    if done.returncode not in (0, 3):  # smoke networks need not learn
        raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - start, done.stdout


def stages(said: str) -> list[str]:
    """Return the stages that ran, from what the reporter said."""
    return re.findall(r"^ {6}(\S*\d\d_\w+)(?:: [\d.]+ s)?$", said, re.MULTILINE)


def kinds(names: list[str]) -> dict[str, int]:
    """Return how many stages of each kind ran."""
    return dict(sorted(Counter(re.match(r"\d\d_[a-z]+", name.rpartition("/")[2])[0] for name in names).items()))


def main() -> None:
    """Run the study, then its conditions one by one."""
    folder = Path(tempfile.mkdtemp(prefix="study_speed_"))
    try:
        words = ("response", "--hub", str(folder / "study"), "--profile", "smoke", "--cores", CORES)
        words += ("--doses", *DOSES, "--views", *VIEWS, "--replicates", str(REPLICATES))
        _, printed = studylib(*words, "--collect-only")
        planned = Counter(re.findall(r"papermill notebooks/(\d\d_[a-z]+)\.ipynb", printed))
        seconds, said = studylib(*words)
        told = {
            "commit": git_state()[0], "processor": processor(), "cores": os.cpu_count(),
            "conditions": len(DOSES) * len(VIEWS) * REPLICATES, "planned": dict(sorted(planned.items())),
            "ran": kinds(stages(said)), "study_seconds": round(seconds, 1),
        }  # fmt: skip
        again, said = studylib(*words)
        told |= {"again_seconds": round(again, 1), "again": kinds(stages(said))}
        data = folder / "study/leaves_zone-plate_r1/dose_1000_sparse/data/phase_d/dose_1000/sparse/test.npz"
        data.touch()
        told["touched"] = kinds(stages(studylib(*words)[1]))
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 1
        data.write_bytes(bytes(content))
        names = stages(studylib(*words)[1])
        told |= {"changed": kinds(names), "changed_stages": sorted(names)}
        alone = 0.0
        for dose, view, replicate in product(DOSES, VIEWS, range(REPLICATES)):
            hub = folder / f"{dose}_{view}_{replicate}"
            named = ("--dose", dose, "--view", view, "--replicate", str(replicate), "--splits", "test")
            alone += studylib("dense", "--hub", str(hub), "--profile", "smoke", "--cores", CORES, *named)[0]
        told |= {"one_after_the_other_seconds": round(alone, 1), "ratio": round(alone / seconds, 2)}
        (HERE / "study_speed.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        print(json.dumps(told, indent=2))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
