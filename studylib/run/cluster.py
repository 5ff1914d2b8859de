"""Where the stages run, this machine or a cluster, as a workflow profile of Snakemake says; and a run's SLURM jobs."""

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
"""Seconds that the scheduler has to answer."""


def profile_folder(name: str) -> Path:
    """Return the folder of a workflow profile.

    Parameters
    ----------
    name
        Name of a profile of the repository (workflow/profiles), or the path of any folder.

    Returns
    -------
    Folder with a config.yaml of Snakemake

    Raises
    ------
    InputError
        The folder has no config.yaml.
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
    """Return the options of Snakemake that say where the stages run.

    Parameters
    ----------
    name
        Name or folder of the workflow profile.
    root
        Folder of the study; the names of its jobs follow from it.
    cores
        Cores of this machine that may be used; the profile of a cluster sets its own.
    most_memory
        MiB of the stage that needs the most memory. It runs alone where the machine has less.

    Returns
    -------
    Options of Snakemake, one word each

    Raises
    ------
    InputError
        The profile has no config.yaml.
    """
    folder = profile_folder(name)
    words = ["--profile", str(folder)]
    told = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")) or {}
    if told.get("executor", LOCAL) == LOCAL:
        # A stage that needs more memory than the machine has is still started, but alone.
        memory = max(psutil.virtual_memory().total // 2**20, most_memory)
        words += ["--cores", str(cores), "--resources", f"mem_mb={memory}"]
        # Processes that share one GPU wait for one another (docs/cluster.md), so they take it one at a time.
        return [*words, "gpu=1", "--config", "gpu=1"] if has_gpu() else words
    return [*words, "--slurm-jobname-prefix", job_name(root)] if told["executor"] == "slurm" else words


def has_gpu() -> bool:
    """Return whether this process may use an NVIDIA GPU."""
    if shutil.which("nvidia-smi") is None or os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return False
    return "GPU 0" in _ask("nvidia-smi", "--list-gpus")


def job_name(root: Path) -> str:
    """Return the prefix of the names of all SLURM jobs of a study."""
    return f"studylib-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]}"


def jobs(name: str) -> list[str]:
    """Return the numbers of this user's SLURM jobs whose names begin with a prefix; none where no SLURM answers."""
    if shutil.which("squeue") is None:
        return []
    told = _ask("squeue", "--noheader", "--format=%i %j", f"--user={os.getuid()}")
    pairs = [line.split(maxsplit=1) for line in told.splitlines()]
    return [number for number, job in pairs if job.startswith(name)]


def job_log(root: Path, rule: str) -> str:
    """Return the end of the log of the last SLURM job of a rule.

    Parameters
    ----------
    root
        Folder of the study.
    rule
        Name of the rule, as `Stage.rule` gives it.

    Returns
    -------
    At most 6,000 bytes of text; empty where there is no job or no output
    """
    # A cluster's own messages, such as "out of memory", are in this log alone.
    logs = sorted((root / ".snakemake/slurm_logs").glob(f"*_{rule}/**/*.log"), key=lambda path: path.stat().st_mtime)
    return tail(logs[-1], 6000) if logs else ""


def cancel(name: str) -> None:
    """Cancel this user's SLURM jobs whose names begin with a prefix."""
    if numbers := jobs(name):
        _ask("scancel", *numbers)


def _ask(*command: str) -> str:
    """Return the standard output of a command; empty where it does not answer within `SECONDS`."""
    with suppress(subprocess.TimeoutExpired):
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False).stdout
    return ""
