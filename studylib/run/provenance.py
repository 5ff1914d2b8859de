"""Where a number comes from: hashes, versions, seeds, commit, times in UTC."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studylib.errors import InputError
from studylib.io.files import read_json, write_json
from studylib.run import paths
from studylib.run.hub import Hub

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


def versions() -> dict[str, str]:
    """Return the version of every package the numbers rest on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


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
    """Return commit and dirty flag; nulls where the source is not a git checkout."""

    def git(*arguments: str) -> str | None:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain")
    return git("rev-parse", "HEAD"), None if status is None else bool(status)


def stamp(
    hub: Hub,
    stage: str,
    *,
    inputs: Iterable[Path],
    outputs: Iterable[Path],
    seconds: float,
    parameters: dict[str, Any],
) -> Path:
    """Record a finished stage: parameters, seconds, and the hash of all it read and wrote.

    Parameters
    ----------
    hub
        The run's folder.
    stage
        Name of the executed notebook, without its suffix.
    inputs, outputs
        Files below the hub.
    seconds
        Wall time of the stage's computation.
    parameters
        Plain values; no paths.
    """
    commit, dirty = git_state()
    content = {
        "stage": stage,
        "finished_at": utc_now(),
        "seconds": seconds,
        "parameters": parameters,
        "inputs": {hub.relative(path): sha256(path) for path in inputs},
        "outputs": {hub.relative(path): sha256(path) for path in outputs},
        "git_commit": commit,
        "git_dirty": dirty,
        "python": platform.python_version(),
        "packages": versions(),
    }
    return write_json(stamp_path(hub, stage), content)


def stamp_path(hub: Hub, stage: str) -> Path:
    """Return the file of a stage's stamp."""
    return hub / paths.stamp(stage)


def stamps(hub: Hub) -> dict[str, dict[str, Any]]:
    """Return the stamps of all finished stages, by stage name."""
    folder = hub / "analysis/stages"
    return {path.stem: read_json(path, "run the stage again") for path in sorted(folder.glob("*.json"))}


def collect(hub: Hub, *, dose: int, view: str, splits: list[str]) -> dict[str, Any]:
    """Return the provenance of a run's deltas, from the stamps of its stages."""
    records = stamps(hub)
    commit, dirty = git_state()
    training = [r for name, r in records.items() if name.startswith("03_train")]
    return {
        "schema_version": SCHEMA_VERSION,
        "study": read_json(hub / "analysis/design.json", "run 00_design")["study"],
        "git_commit": commit,
        "git_dirty": dirty,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions(),
        "backend": training[0]["parameters"]["backend"] if training else "torch",
        "device": training[0]["parameters"]["device"] if training else "cpu",
        "seeds": read_json(hub / "analysis/design.json", "run 00_design")["seeds"],
        "sample": next((r["parameters"]["base"] for n, r in records.items() if n.startswith("01_generate")), "unknown"),
        "dose": dose,
        "view": view,
        "splits": list(splits),
        "settings": {
            name: {k: r["parameters"][k] for k in ("settings", "settings_from")}
            for name, r in records.items()
            if "settings_from" in r["parameters"]
        },
        "inputs": {k: v for r in records.values() for k, v in (r["inputs"] | r["outputs"]).items()},
        "stage_seconds": {name: round(r["seconds"], 3) for name, r in records.items()},
        "commands_document": commands_document(),
    }
