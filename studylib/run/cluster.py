"""Where the stages run: this machine or a cluster, as a workflow profile of Snakemake says; and a run's jobs there."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

from studylib.errors import InputError
from studylib.io.files import tail
from studylib.run.provenance import ROOT

PROFILES = ROOT / "workflow/profiles"
LOCAL = "local"
SECONDS = 5.0
"""How long the scheduler has to answer."""


def profile_folder(name: str) -> Path:
    """Return the folder of a workflow profile: one of the repository's by its name, or any folder.

    Raises
    ------
    InputError
        It has no config.yaml.
    """
    known = sorted(path.parent.name for path in PROFILES.glob("*/config.yaml"))
    folder = PROFILES / name if name in known else Path(name).resolve()
    if not (folder / "config.yaml").is_file():
        raise InputError(
            "workflow_profile", name, f"{', '.join(known)} or a folder with a config.yaml of Snakemake",
            "copy workflow/profiles/slurm and give its folder (docs/cluster.md)",
        )  # fmt: skip
    return folder


def placement(name: str, root: Path, cores: int, most_memory: int) -> list[str]:
    """Return the words of Snakemake's command line that say where stages run.

    Parameters
    ----------
    name
        Of the workflow profile.
    root
        Folder of the study; names its jobs.
    cores
        Of this machine; a cluster has its own.
    most_memory
        MiB of the stage that needs most: it runs alone where the machine has less.
    """
    folder = profile_folder(name)
    words = ["--profile", str(folder)]
    told = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")) or {}
    if told.get("executor", LOCAL) == LOCAL:
        memory = max(psutil.virtual_memory().total // 2**20, most_memory)
        words += ["--cores", str(cores), "--resources", f"mem_mb={memory}"]
        # Processes side by side on one GPU wait for one another (docs/cluster.md): one at a time.
        return [*words, "gpu=1", "--config", "gpu=1"] if has_gpu() else words
    return [*words, "--slurm-jobname-prefix", job_name(root)] if told["executor"] == "slurm" else words


def has_gpu() -> bool:
    """Return whether a GPU of NVIDIA's is there that this process may use."""
    if shutil.which("nvidia-smi") is None or os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return False
    return "GPU 0" in _ask("nvidia-smi", "--list-gpus")


def job_name(root: Path) -> str:
    """Return how the names of all jobs of a study begin."""
    return f"studylib-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]}"


def jobs(name: str) -> list[str]:
    """Return the numbers of the user's SLURM jobs with such names; none where no SLURM answers."""
    if shutil.which("squeue") is None:
        return []
    told = _ask("squeue", "--noheader", "--format=%i %j", f"--user={os.getuid()}")
    pairs = [line.split(maxsplit=1) for line in told.splitlines()]
    return [number for number, job in pairs if job.startswith(name)]


def job_log(root: Path, rule: str) -> str:
    """Return the end of what the last job of a rule said; empty where it was none or said nothing."""
    logs = sorted((root / ".snakemake/slurm_logs").glob(f"*_{rule}/**/*.log"), key=lambda path: path.stat().st_mtime)
    return tail(logs[-1], 6000) if logs else ""


def cancel(name: str) -> None:
    """Cancel the SLURM jobs with such names."""
    if numbers := jobs(name):
        _ask("scancel", *numbers)


def _ask(*command: str) -> str:
    """Return what a command of the scheduler says; nothing where it does not answer in time."""
    with suppress(subprocess.TimeoutExpired):
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout
    return ""
