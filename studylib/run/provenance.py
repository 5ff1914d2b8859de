"""Provenance of the numbers: hashes, versions, seeds, commit, and times in UTC."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from studylib.errors import InputError, StageError
from studylib.io.files import read_json, write_json
from studylib.machine import device, installed, processor, threads
from studylib.reconstruction import peak_memory_mib
from studylib.run import paths
from studylib.run.hub import Hub
from studylib.run.stage import Stage

PACKAGES = (
    "keras", "torch", "tensorflow", "ptychi", "numpy", "scipy", "scikit-image", "torchmetrics", "papermill",
    "snakemake",
)  # fmt: skip
"""Packages whose versions are recorded."""
ROOT = Path(__file__).resolve().parents[2]
"""Folder of the repository."""
COMMANDS_DOC = "docs/TESTING_GUIDE.md"
"""Commands document that is used where AUTHORITATIVE_CMDS_DOC names none."""
SCHEMA_VERSION = "1.0"
"""Version of the provenance object in metrics_delta_summary.json."""


def utc_now() -> str:
    """Return the present time in UTC as YYYY-MM-DDTHH:MM:SSZ."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def commands_document() -> str:
    """Return the commands document that AUTHORITATIVE_CMDS_DOC names (CONFIG-001).

    Returns
    -------
    POSIX path, relative to the repository

    Raises
    ------
    InputError
        The variable names no file of the repository.
    """
    value = os.environ.get("AUTHORITATIVE_CMDS_DOC", COMMANDS_DOC)
    path = (ROOT / value).resolve()
    if not path.is_file() or not path.is_relative_to(ROOT):
        raise InputError(
            "AUTHORITATIVE_CMDS_DOC", value, "a file of the repository", f"unset it, or export {COMMANDS_DOC}"
        )
    return path.relative_to(ROOT).as_posix()


def git_state() -> tuple[str | None, bool | None]:
    """Return the commit of the repository, and whether the working tree differs from it.

    Returns
    -------
    commit
        Hexadecimal; None where the source is not a git checkout, or git is not installed.
    dirty
        Whether files were changed or added since; None in the same cases.
    """
    if shutil.which("git") is None:
        return None, None

    def git(*arguments: str) -> str | None:
        """Return what a git command prints; None where it fails."""
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain")
    return git("rev-parse", "HEAD"), None if status is None else bool(status)


def stamp(hub: Hub, stage: Stage, *, seconds: float, parameters: dict[str, Any]) -> Path:
    """Record a finished stage: parameters, seconds, machine, and the hashes of all files that it reads and writes.

    Parameters
    ----------
    hub
        Folder of the run.
    stage
        Stage of the plan, with its inputs and outputs.
    seconds
        Wall time of the stage's computation.
    parameters
        Plain values beside those of the plan; no paths.

    Returns
    -------
    Path of the stamp

    Raises
    ------
    StageError
        One of the inputs or outputs is not there.
    """
    absent = [name for name in (*stage.inputs, *stage.outputs) if not (hub / name).is_file()]
    if absent:
        raise StageError(f"{stage.name} has no {absent[0]}, which the plan says it reads or writes")
    commit, dirty = git_state()
    # The path of the hub belongs to this machine (TYPE-PATH-001).
    given = {name: value for name, value in stage.parameters.items() if name != "hub"}
    content = {
        "stage": stage.name,
        "finished_at": utc_now(),
        "seconds": seconds,
        "peak_memory_mib": peak_memory_mib(),
        "parameters": given | parameters,
        "inputs": {name: sha256(hub / name) for name in stage.inputs},
        "outputs": {name: sha256(hub / name) for name in stage.outputs},
        "git_commit": commit,
        "git_dirty": dirty,
        "processor": processor(),
        "threads": threads(),
        "device": device(),
        "python": platform.python_version(),
        "packages": installed(PACKAGES),
    }
    return write_json(stamp_path(hub, stage.name), content)


def stamp_path(hub: Hub, stage: str) -> Path:
    """Return the path of the stamp of a stage.

    Parameters
    ----------
    hub
        Folder of the run.
    stage
        Name of the stage, as `Stage.name`.

    Returns
    -------
    Absolute path of a JSON file
    """
    return hub / paths.stamp(stage)


def stamps(hub: Hub) -> dict[str, dict[str, Any]]:
    """Return the stamps of all finished stages of a hub, by the name of the stage.

    Raises
    ------
    InputError
        A stamp is not JSON.
    """
    folder = hub / "analysis/stages"
    return {path.stem: read_json(path, "run the stage again") for path in sorted(folder.glob("*.json"))}


def dose_of_training(hub: Hub, dose: int, view: str, split: str, key: str) -> int:
    """Return the dose at which the network behind an image was trained.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Mean photons per pattern of the image.
    view
        dense or sparse.
    split
        train or test.
    key
        Key of the arm.

    Returns
    -------
    Photons per pattern; `dose` itself where no network is behind the image

    Raises
    ------
    InputError
        The arm has not reconstructed this split yet.
    """
    name = f"04_reconstruct_dose{dose}_{view}_{split}_{key}"
    told = read_json(stamp_path(hub, name), f"run notebook 04_reconstruct with arm={key} first")
    return int(told["parameters"].get("trained_at", dose))


def collect(hub: Hub, *, dose: int, view: str, splits: list[str]) -> dict[str, Any]:
    """Return the provenance of the deltas of a run, from the stamps of its stages.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Mean photons per pattern.
    view
        dense or sparse.
    splits
        Splits that were compared: train, test or both.

    Returns
    -------
    The object `provenance` of metrics_delta_summary.json

    Raises
    ------
    InputError
        The design or a stamp is missing or not JSON, or the commands document is not a file of the repository.
    """
    records = stamps(hub)
    commit, dirty = git_state()
    training = [r for name, r in records.items() if name.startswith("03_train")]
    # Stages of one run may have computed on different devices; all of them are named.
    computed = {r["device"] for name, r in records.items() if name.startswith(("03_train", "04_reconstruct"))}
    return {
        "schema_version": SCHEMA_VERSION,
        "study": read_json(hub / "analysis/design.json", "run 00_design")["study"],
        "git_commit": commit,
        "git_dirty": dirty,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": installed(PACKAGES),
        "processors": sorted({r["processor"] for r in records.values()}),
        "threads": {name: r["threads"] for name, r in records.items()},
        "backend": training[0]["parameters"]["backend"] if training else "torch",
        "device": ", ".join(sorted(computed)) or "cpu",
        "seeds": read_json(hub / "analysis/design.json", "run 00_design")["seeds"],
        "sample": next((r["parameters"]["base"] for n, r in records.items() if n.startswith("01_generate")), "unknown"),
        "dose": dose,
        "view": view,
        "splits": list(splits),
        "parameters": {
            name: {k: v for k, v in r["parameters"].items() if k not in ("settings", "settings_from")}
            for name, r in records.items()
        },
        "settings": {
            name: {k: r["parameters"][k] for k in ("settings", "settings_from")}
            for name, r in records.items()
            if "settings_from" in r["parameters"]
        },
        "inputs": {k: v for r in records.values() for k, v in (r["inputs"] | r["outputs"]).items()},
        "stage_seconds": {name: round(r["seconds"], 3) for name, r in records.items()},
        "commands_document": commands_document(),
    }
