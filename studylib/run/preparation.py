"""What comes before the graph: the commands of a study, its folder made ready, its lock."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

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
"""For each pixel of each pattern of the whole scan: simulated patterns of a dose, and what a condition adds (measured:
10 and 2)."""
WAIT = 10.0
"""Seconds that the processes of a killed run have to be gone."""


def commands(study: Study, root: str, first: list[str]) -> list[str]:
    """Return the commands of a study as they run in the repository: one that prepares its folder, then the stages.

    Parameters
    ----------
    root
        Folder of the study.
    first
        Words of the command line that give this study.
    """
    python = Path(sys.executable)
    name = str(python.relative_to(ROOT)) if python.is_relative_to(ROOT) else "python"
    told = [shlex.join([name, "-m", "studylib", *first, "--prepare-only"])]
    for stage in graph(study):
        log = shlex.quote(f"{root}/{stage.under(stage.log)}")
        command = stage.command(name, "notebooks", root)
        command = f"{{ {command}; }}" if stage.source else command
        told.append(f"{command} > {log} 2>&1 && echo complete >> {log}")
    return told


def prepare(root: Hub, study: Study, base: Path | None, clobber: bool) -> None:
    """Make the folders ready: refuse or clear earlier outputs, take over the base, write the plan.

    Raises
    ------
    InputError
        The folder holds another study and clobber is off, or is not a hub at all.
    """
    provenance.commands_document()
    root.check_folder()
    mine, before = root.exists, study_of(root)
    stale = _stale(root)
    if stale and not clobber and before != study:
        raise InputError(
            "hub", f"earlier output {stale}", "a hub without outputs of another run",
            "repeat with --clobber (make: CLOBBER=1) to delete them, or give another --hub (make: HUB=)",
        )  # fmt: skip
    if not stale:
        refuse_full_disk(root, study)
    if clobber and mine:
        root.mark()
        remove(root, keep=MARKS[:1])
        before = None
    root.create()
    if not study.alone and before != study:  # what depends on the plan is not made anew for nothing
        write_json(root / STUDY, study.model_dump(mode="json"))
    for folder, run in study.conditions().items():
        above = Hub(root / study.above(run)).create()
        if base is not None and not ((above / BASE).is_file() and provenance.sha256(above / BASE) == run.base_sha256):
            (above / BASE).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(base, above / BASE)
        hub = Hub(root / folder).create()
        if base is not None and not (hub / BASE).is_file():  # a condition's stamps name it
            (hub / BASE).parent.mkdir(parents=True, exist_ok=True)
            (hub / BASE).symlink_to(os.path.relpath(above / BASE, (hub / BASE).parent))
        write_json(hub / RUN, run.model_dump(mode="json"))


def refuse_full_disk(root: Hub, study: Study) -> None:
    """Refuse a study for whose files the disk has not the room.

    Raises
    ------
    InputError
        With what it takes, about, and what there is.
    """
    sample = StudyDesign.for_profile(study.profile).sample
    scan = (max(sample.object_size - sample.n_pixels, 0) / sample.scan_step) ** 2 * sample.n_pixels**2
    conditions = study.conditions()
    doses = {(study.above(run), run.dose) for run in conditions.values()}
    needed = scan * (BYTES_SCAN * len(doses) + BYTES_CONDITION * len(conditions))
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
    """Delete what a study made in a folder that no run is writing to.

    Returns
    -------
    What is left because the study did not make it, hub-relative and sorted

    Raises
    ------
    InputError
        It is no hub, or the folder in which you are, one above it, home or the repository.
    """
    place, here = root.root.resolve(), Path.cwd().resolve()
    if not root.exists or place in {Path.home().resolve(), ROOT, here, *here.parents}:
        expected = "a hub, and not the folder that you are in, one above it, or home"
        raise InputError("hub", root.root, expected, "give --hub reports/my-run (make: HUB=)")
    with lock(root):
        return remove(root)


def _stale(root: Hub) -> str | None:
    """Return the first earlier output of the folder."""
    files = (p for name in FOLDERS for p in (root / name).rglob("*") if p.is_file())
    return min((name for name in map(root.relative, files) if name != MARKS[0]), default=None)


def lock(root: Hub) -> FileLock:
    """Return the study's lock, held; it lies beside its folder, and stays there: another run may be waiting for it.

    Raises
    ------
    InputError
        Another run has it, or the processes of one that was killed still run.
    """
    held = FileLock(f"{root.root.resolve()}.lock", timeout=0)
    try:
        root.root.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
        # The guard of a run that was killed ends what is left of it.
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
