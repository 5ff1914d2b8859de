"""Taking away what a study made in its folder, and nothing else: what somebody put there stays."""

from __future__ import annotations

import glob
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from studylib.evidence.checksums import NAME as CHECKSUMS
from studylib.evidence.response import NAME as RESPONSE
from studylib.evidence.verify import REQUIRED
from studylib.evidence.writer import BLOCKER
from studylib.run import paths
from studylib.run.hub import FOLDERS, LOG, MARKS, Hub
from studylib.run.plan import BASE
from studylib.run.response_stage import FAILED, PAGE
from studylib.run.stage import Stage
from studylib.run.study import RUN, STUDY, Study, graph, hubs, study_of

FIXED = (
    *REQUIRED, LOG, BLOCKER, RESPONSE, PAGE, FAILED, BASE, RUN, STUDY, "analysis/blocker.txt",
    "analysis/verification_report.json", CHECKSUMS, "notebooks/07_response.ipynb", "notebooks/.07_response.part.ipynb",
    "cli/phase_g_response.log", "summary/mapped_tests.json", "collect/pytest_collect_only.log",
    "green/pytest_mapped.log", "red/pytest_mapped.log", *MARKS,
)  # fmt: skip
"""What a hub holds beside the files of its stages; the marks of a hub last, so that what is interrupted can go on."""
TOOL = ".snakemake"
"""Folder of Snakemake."""


def remove(root: Hub, keep: tuple[str, ...] = ()) -> list[str]:
    """Delete what a study made in its folder, and the folders that are empty then.

    Parameters
    ----------
    keep
        Hub-relative names that stay.

    Returns
    -------
    What else is left, hub-relative and sorted
    """
    study, kept = study_of(root), {root / name for name in keep}
    every = hubs(root, study) if study else [root]
    for path in made(root, study):
        if path not in kept:
            path.unlink()
    for hub in reversed(every):
        for folder in FOLDERS:
            for place, _, _ in os.walk(hub / folder, topdown=False):
                _remove_if_empty(Path(place))
        if hub == root:
            remove_tool(hub)
        _remove_if_empty(hub.root)
    return sorted(root.relative(path) for path in _files(root.root) if path not in kept)


def remove_tool(root: Hub) -> None:
    """Delete the folder in which Snakemake keeps what it needs to go on; it names paths of this machine."""
    if not (root / TOOL).is_symlink():
        shutil.rmtree(root / TOOL, ignore_errors=True)


def made(root: Hub, study: Study | None) -> list[Path]:
    """Return the files below a folder that a study wrote, the marks of a hub last.

    The names come from the plan; of a plan that cannot be read, from the stamps of its stages.
    """
    every = hubs(root, study) if study else [root]
    names = [root / stage.under(name) for stage in (graph(study) if study else []) for name in _names(stage)]
    names += [hub / name for hub in every for name in _stamped(hub)]
    names += [hub / name for name in FIXED for hub in reversed(every)]
    real = root.root.resolve()
    found: dict[Path, None] = {}
    for path in names:
        if not path.parent.resolve().is_relative_to(real):
            continue  # through a link, or named by a forged stamp
        cut = path.parent.glob(f".{glob.escape(path.name)}.*")  # what an interrupted process was writing
        found |= dict.fromkeys(p for p in (path, *cut) if p.is_symlink() or p.is_file())
    return list(found)


def _names(stage: Stage) -> list[str]:
    return [*stage.outputs, stage.log, stage.executed, stage.part, paths.stamp(stage.name)]


def _stamped(hub: Hub) -> Iterator[str]:
    """Yield what the stamps of a hub say that they wrote, and the stamps."""
    for path in sorted((hub / "analysis/stages").glob("*.json")):
        try:
            outputs = list(json.loads(path.read_text(encoding="utf-8"))["outputs"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        yield from (name for name in outputs if not {"..", "/"} & set(PurePosixPath(name).parts))
        yield hub.relative(path)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # something lies there, or it is a link
        folder.rmdir()


def _files(folder: Path) -> Iterator[Path]:
    """Yield files and links below a folder."""
    for place, folders, names in os.walk(folder):
        yield from (Path(place) / name for name in names)
        yield from (path for name in folders if (path := Path(place) / name).is_symlink())
