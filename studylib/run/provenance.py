"""Where a number comes from: hashes, versions, seeds, commit, times in UTC."""

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
ROOT = Path(__file__).resolve().parents[2]
COMMANDS_DOC = "docs/TESTING_GUIDE.md"
SCHEMA_VERSION = "1.0"


def utc_now() -> str:
    """Return the time as YYYY-MM-DDTHH:MM:SSZ."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def commands_document() -> str:
    """Return AUTHORITATIVE_CMDS_DOC, relative to the repository (CONFIG-001).

    Raises
    ------
    InputError
        It names no file of the repository.
    """
    value = os.environ.get("AUTHORITATIVE_CMDS_DOC", COMMANDS_DOC)
    path = (ROOT / value).resolve()
    if not path.is_file() or not path.is_relative_to(ROOT):
        raise InputError(
            "AUTHORITATIVE_CMDS_DOC", value, "a file of the repository", f"unset it, or export {COMMANDS_DOC}"
        )
    return path.relative_to(ROOT).as_posix()


def git_state() -> tuple[str | None, bool | None]:
    """Return commit and dirty flag; nulls where the source is not a git checkout, or there is no git."""
    if shutil.which("git") is None:
        return None, None

    def git(*arguments: str) -> str | None:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain")
    return git("rev-parse", "HEAD"), None if status is None else bool(status)


def stamp(hub: Hub, stage: Stage, *, seconds: float, parameters: dict[str, Any]) -> Path:
    """Record a finished stage: parameters, seconds, machine, and the hash of all that it reads and writes.

    Parameters
    ----------
    hub
        The run's folder.
    stage
        Of the plan, with its inputs and outputs.
    seconds
        Wall time of the stage's computation.
    parameters
        Plain values beside those of the plan; no paths.

    Raises
    ------
    StageError
        One of the outputs is not there.
    """
    absent = [name for name in (*stage.inputs, *stage.outputs) if not (hub / name).is_file()]
    if absent:
        raise StageError(f"{stage.name} has no {absent[0]}, which the plan says it reads or writes")
    commit, dirty = git_state()
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
    """Return the file of a stage's stamp."""
    return hub / paths.stamp(stage)


def stamps(hub: Hub) -> dict[str, dict[str, Any]]:
    """Return the stamps of all finished stages, by stage name."""
    folder = hub / "analysis/stages"
    return {path.stem: read_json(path, "run the stage again") for path in sorted(folder.glob("*.json"))}


def dose_of_training(hub: Hub, dose: int, view: str, split: str, key: str) -> int:
    """Return the dose at which the network behind an image was trained; the image's own without a network."""
    name = f"04_reconstruct_dose{dose}_{view}_{split}_{key}"
    told = read_json(stamp_path(hub, name), f"run notebook 04_reconstruct with arm={key} first")
    return int(told["parameters"].get("trained_at", dose))


def collect(hub: Hub, *, dose: int, view: str, splits: list[str]) -> dict[str, Any]:
    """Return the provenance of a run's deltas, from the stamps of its stages."""
    records = stamps(hub)
    commit, dirty = git_state()
    training = [r for name, r in records.items() if name.startswith("03_train")]
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
