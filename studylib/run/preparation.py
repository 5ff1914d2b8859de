"""What comes before the graph: list the commands of a study, prepare its folder, and lock it."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from studylib.changes import changed
from studylib.design import StudyDesign
from studylib.errors import InputError
from studylib.io.files import write_json
from studylib.run import cluster, processes, provenance
from studylib.run.hub import FOLDERS, MARKS, Hub
from studylib.run.plan import BASE
from studylib.run.removal import remove
from studylib.run.study import RUN, STUDY, Study, graph, study_of

ROOT = provenance.ROOT
BYTES_SCAN, BYTES_CONDITION = 12, 3
"""Bytes on disk for each pixel of each pattern of the whole scan: for the simulated patterns of a dose, and for what a
condition adds. 10 and 2 were measured."""
WAIT = 10.0
"""Seconds within which the processes of a killed run must have ended."""


def commands(study: Study, root: str, first: list[str]) -> list[str]:
    """Return the shell commands of a study, to be given in the repository.

    Parameters
    ----------
    study
        What is varied, and the arms.
    root
        Folder of the study.
    first
        Subcommand and options of `python -m studylib` that ask for this study.

    Returns
    -------
    The command that prepares the folder, then one command for each stage
    """
    python = Path(sys.executable)
    name = str(python.relative_to(ROOT)) if python.is_relative_to(ROOT) else "python"
    told = [shlex.join([name, "-m", "studylib", *first, "--prepare-only"])]
    for stage in graph(study):
        log = shlex.quote(f"{root}/{stage.under(stage.log)}")
        command = stage.command(name, "notebooks", root)
        # A linked stage is a chain of commands: the braces send the output of all of them into the log.
        command = f"{{ {command}; }}" if stage.source else command
        told.append(f"{command} > {log} 2>&1 && echo complete >> {log}")
    return told


def prepare(root: Hub, study: Study, base: Path | None, clobber: bool) -> None:
    """Prepare the folders of a study: refuse or delete earlier outputs, copy the base, write the plan.

    Parameters
    ----------
    root
        Folder of the study.
    study
        What is varied, and the arms.
    base
        NPZ with probe and object, or a measured scan; None for the built-in samples.
    clobber
        Delete earlier outputs of a study in this folder.

    Raises
    ------
    InputError
        The folder holds another study and `clobber` is off, holds files and is not a hub, or the disk has no room.
    """
    provenance.commands_document()
    root.check_folder()
    mine, before = root.exists, study_of(root)
    stale = _stale(root)
    if stale and not clobber and before != study:
        raise InputError(
            "hub", f"earlier output {stale}", f"a hub without outputs of another run{differences(before, study)}",
            "repeat with --clobber (make: CLOBBER=1) to delete them, or give another --hub (make: HUB=)",
        )  # fmt: skip
    if not stale:
        refuse_full_disk(root, study)
    if clobber and mine:
        root.mark()
        remove(root, keep=MARKS[:1])
        before = None
    root.create()
    # The graph compares the times of files: a plan that is equal is not written again.
    if not study.alone and before != study:
        write_json(root / STUDY, study.model_dump(mode="json"))
    for folder, run in study.conditions().items():
        above = Hub(root / study.above(run)).create()
        if base is not None and not ((above / BASE).is_file() and provenance.sha256(above / BASE) == run.base_sha256):
            (above / BASE).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(base, above / BASE)
        hub = Hub(root / folder).create()
        # The stamps of a condition name the base by its path in the condition's own hub.
        if base is not None and not (hub / BASE).is_file():
            (hub / BASE).parent.mkdir(parents=True, exist_ok=True)
            (hub / BASE).symlink_to(os.path.relpath(above / BASE, (hub / BASE).parent))
        write_json(hub / RUN, run.model_dump(mode="json"))


def differences(before: Study | None, now: Study) -> str:
    """Return in words what differs between two studies, to follow other words; empty where there was none.

    Examples
    --------
    >>> differences(Study(doses=(10,)), Study(doses=(1000,)))
    '; doses was 10 and is 1000'
    """
    if before is None:
        return ""
    old, new = before.model_dump(), now.model_dump()

    def words(value: object) -> str:
        """Return a value as it is typed."""
        return " ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)

    told = [f"{name} was {words(old[name])} and is {words(new[name])}" for name in new if old[name] != new[name]]
    return "; " + ", ".join(told) if told else ""


def refuse_full_disk(root: Hub, study: Study) -> None:
    """Refuse a study whose files do not fit on the disk.

    Parameters
    ----------
    root
        Folder of the study.
    study
        Its profile gives the size of the scan, its conditions how many files there are.

    Raises
    ------
    InputError
        The disk is too full; the message says about how much the study takes, and how much is free.
    """
    sample = changed(StudyDesign.for_profile(study.profile), study.changes).sample
    scan = (max(sample.object_size - sample.n_pixels, 0) / sample.scan_step) ** 2 * sample.n_pixels**2
    conditions = study.conditions()
    doses = {(study.above(run), run.dose) for run in conditions.values()}
    needed = scan * (BYTES_SCAN * len(doses) + BYTES_CONDITION * len(conditions))
    # The folder may not exist yet: ask the disk of the nearest folder above it.
    there = root.root
    while not there.is_dir():
        there = there.parent
    free = shutil.disk_usage(there).free
    if needed > free:
        words = f"a disk with about {needed / 2**20:,.0f} MiB for {len(conditions)} conditions"
        raise InputError(
            "hub", root.root, f"{words}; {free / 2**20:,.0f} MiB are free",
            "make room, or give --hub a folder on a larger disk (make: HUB=)",
        )  # fmt: skip


def clean_hub(root: Hub) -> list[str]:
    """Delete what a study made in its folder. No run may be writing there.

    Parameters
    ----------
    root
        Folder of the study.

    Returns
    -------
    Files that stay because the study did not make them, hub-relative and sorted

    Raises
    ------
    InputError
        The folder is not a hub, is the current folder or one above it, the home folder or the repository, or a run is
        using it.
    """
    place, here = root.root.resolve(), Path.cwd().resolve()
    if not root.exists or place in {Path.home().resolve(), ROOT, here, *here.parents}:
        expected = "a hub, and not the folder that you are in, one above it, or home"
        raise InputError("hub", root.root, expected, "give --hub reports/my-run (make: HUB=)")
    with lock(root):
        return remove(root)


def _stale(root: Hub) -> str | None:
    """Return the first earlier output in a folder by name, hub-relative; None where there is none."""
    files = (p for name in FOLDERS for p in (root / name).rglob("*") if p.is_file())
    return min((name for name in map(root.relative, files) if name != MARKS[0]), default=None)


def lock(root: Hub) -> FileLock:
    """Return the lock of a study, acquired.

    The lock file lies beside the folder of the study and is never deleted, because another run may be waiting for it.

    Parameters
    ----------
    root
        Folder of the study.

    Returns
    -------
    `filelock.FileLock`, to be released by the caller, as by a `with` block

    Raises
    ------
    InputError
        Another run holds the lock, processes of a killed run have not ended within `WAIT`, or the folder cannot be
        written to.
    """
    held = FileLock(f"{root.root.resolve()}.lock", timeout=0)
    try:
        root.root.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
        # Where a run was killed, its guard is still ending what is left of it.
        late = time.monotonic() + WAIT
        while processes.members(root.root, processes.MARK) or cluster.jobs(cluster.job_name(root.root)):
            if time.monotonic() > late:
                held.release()
                raise Timeout(held.lock_file)
            time.sleep(0.2)
    except Timeout:
        told = processes.owner(root.root)
        raise InputError(
            "hub", root.root, f"a hub that no other run is writing to{f' ({told})' if told else ''}",
            "wait for that run, or give another --hub",
        ) from None  # fmt: skip
    except OSError as error:
        raise InputError(
            "hub", root.root, f"a folder that can be written to ({error.strerror})",
            "give --hub a folder of yours, such as reports/my-run",
        ) from error  # fmt: skip
    return held
