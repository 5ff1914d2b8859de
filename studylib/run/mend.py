"""Mend a hub that is started again: what is missing, cut or changed is made anew, with all that depends on it."""

from __future__ import annotations

import json
from collections.abc import Callable

from studylib.arms.registry import algorithm, arm
from studylib.errors import InputError, StudyError
from studylib.evidence.verify import intact
from studylib.evidence.writer import DELTAS
from studylib.io.files import is_complete, read_json
from studylib.run.hub import Hub
from studylib.run.provenance import sha256, stamp_path
from studylib.run.stage import Stage

EVIDENCE = "06_evidence"
"""Name of the stage that has no stamp of its own."""


def mend(root: Hub, plan: list[Stage], say: Callable[[str], None]) -> None:
    """Remove the outputs of the stages that are not as the run left them.

    The graph then makes these outputs anew, with all that depends on them.

    Parameters
    ----------
    root
        Folder of this study, finished or interrupted.
    plan
        All stages of the study.
    say
        Takes a line for each such stage, with what is wrong with it.
    """
    found = [(stage, reason) for stage in plan if (reason := _damage(Hub(root / stage.hub), stage))]
    broken = {stage.hub for stage, _ in found}
    for stage in plan:
        hub = Hub(root / stage.hub)
        # Where no stage is broken, the whole hub is checked against its evidence and its list of hashes.
        last = stage.name == EVIDENCE and stage.hub not in broken and (hub / DELTAS).is_file()
        if last and not (outcome := intact(hub)).ok:
            found.append((stage, outcome.problems[0]))
    for stage, reason in found:
        say(f"again: {stage.key} ({reason})")
        for name in stage.outputs:
            (root / stage.under(name)).unlink(missing_ok=True)


def refuse_to_mix(root: Hub, plan: list[Stage]) -> list[str]:
    """Refuse to go on where one version of the code made some images of an arm and another version would make the rest.

    Parameters
    ----------
    root
        Folder of the study.
    plan
        All stages of the study.

    Returns
    -------
    list of str
        A line for each arm that is complete, but whose images were made by other code than that of today.

    Raises
    ------
    InputError
        Two versions would be mixed; the message names the arm, and the commit that made what is there.
    """
    older = []
    for key in sorted({str(stage.parameters["arm"]) for stage in plan if "arm" in stage.parameters}):
        mine = [stage for stage in plan if stage.parameters.get("arm") == key]
        done = [stage for stage in mine if all((root / stage.under(name)).is_file() for name in stage.outputs)]
        for stage in done:
            record = stamp_path(Hub(root / stage.hub), stage.name)
            told = read_json(record, "") if record.is_file() else {}
            made = told.get("parameters", {}).get("algorithm")
            if not made or made == algorithm(key):
                continue
            commit = told["git_commit"]
            if len(done) < len(mine):
                raise InputError(
                    "hub", root.root, f"images of {arm(key).name} by this code (some are of commit {commit})",
                    "continue with that commit, give another --hub, or delete earlier outputs with --clobber",
                )  # fmt: skip
            # An arm that is complete gets no further images, whichever code made it.
            older.append(
                f"NOTE: the images of {arm(key).name} are kept; other code made them ({made}, commit {commit}) than "
                f"that of today ({algorithm(key)}). --clobber (make: CLOBBER=1) or another --hub makes them anew."
            )
            break
    return older


def _damage(hub: Hub, stage: Stage) -> str:
    """Return in words what is wrong with a stage; empty where nothing is, or where the stage has no output yet."""
    if not any((hub / name).is_file() for name in stage.outputs):
        return ""
    absent = next((n for n in (*stage.outputs, stage.log, stage.executed) if not (hub / n).is_file()), None)
    if absent:
        return f"{absent} is missing"
    if not is_complete(hub / stage.log):
        return f"{stage.log} does not end in complete"
    try:
        json.loads((hub / stage.executed).read_text(encoding="utf-8"))
        # The evidence has no stamp: the verifier recomputes its numbers instead.
        told = {} if stage.name == EVIDENCE else read_json(stamp_path(hub, stage.name), "")["outputs"]
    except ValueError:
        return f"{stage.executed} is cut"
    except (StudyError, KeyError):
        return f"{hub.relative(stamp_path(hub, stage.name))} is missing or cannot be read"
    changed = next((n for n, value in told.items() if not (hub / n).is_file() or sha256(hub / n) != value), None)
    return f"{changed} is missing or changed" if changed else ""
