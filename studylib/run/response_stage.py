"""The last stage of a study of many conditions: 07_response, which reads the tables of every condition."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from studylib.arms.registry import arm
from studylib.design import MEASURED, judged
from studylib.errors import StageError
from studylib.evidence import report
from studylib.evidence.response import NAME
from studylib.io.files import is_complete, read_json, tail, write_json
from studylib.run import paths, processes, provenance
from studylib.run.cleaning import scrub
from studylib.run.hub import Hub
from studylib.run.stage import Stage
from studylib.run.study import STUDY, Study

FAILED = "analysis/failed.json"
"""Reason by folder of the conditions that failed."""
PAGE = "analysis/response.html"
"""The executed notebook as a page that opens offline."""


def stage(study: Study, lost: dict[str, str]) -> Stage:
    """Return the stage 07_response; its inputs are the tables of the conditions that did not fail.

    Parameters
    ----------
    study
        Study of many conditions.
    lost
        Reason by folder of the conditions that failed.
    """
    split = judged(study.splits)
    tables = [
        f"{folder}/{paths.comparison(run.dose, run.view, split)}/{name}"
        for folder, run in study.conditions().items() if folder not in lost
        for name in (
            "comparison_metrics.csv", "status.json", *([] if run.sample == MEASURED else [paths.LIMIT]),
            *(paths.uncertainty(key) for key in run.arms if arm(key).error_from_halves),
        )
    ]  # fmt: skip
    return Stage(
        8, "07_response", "07_response", {"hub": "."}, [STUDY, FAILED, *tables], [NAME], "cli/phase_g_response.log"
    )


def run(root: Hub, study: Study, lost: dict[str, str], say: Callable[[str], None]) -> None:
    """Write response.json and response.html, unless they are newer than everything from which they are made.

    Parameters
    ----------
    root
        Folder of the study.
    study
        Study of many conditions.
    lost
        Reason by folder of the conditions that failed.
    say
        Takes a line for the user.

    Raises
    ------
    StageError
        The notebook failed, or its page would load something from elsewhere.
    """
    # An empty list that is written again would make the page look old.
    if lost or not (root / FAILED).is_file() or read_json(root / FAILED, ""):
        write_json(root / FAILED, lost)
    last = stage(study, lost)
    if _is_fresh(root, last):
        return
    say(f"      {last.name}")
    # If the notebook fails, no response of an earlier run must stay.
    for name in (NAME, PAGE):
        (root / name).unlink(missing_ok=True)
    log, python = root / last.log, sys.executable
    command = last.command(python, (provenance.ROOT / "notebooks").as_posix())
    with processes.guarded(root.root) as environment, log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            command, shell=True, cwd=root.root, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False
        )
        if done.returncode == 0:
            file.write("complete\n")
    if done.returncode:
        raise StageError(f"stage {last.name} failed", tail(log, 6000))
    report.render_page(root / last.executed, root / PAGE, f"Dose-overlap study: {root.root.name}")
    scrub(root)
    say(f"  response {PAGE}")


def _is_fresh(root: Hub, last: Stage) -> bool:
    """Return whether the last run was complete, and response.json is newer than all inputs of the stage."""
    made = root / PAGE
    if not (made.is_file() and (root / NAME).is_file() and is_complete(root / last.log)):
        return False
    return all((root / name).stat().st_mtime <= (root / NAME).stat().st_mtime for name in last.inputs)
