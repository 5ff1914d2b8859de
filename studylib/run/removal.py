"""Delete what a study made in its folder, and nothing else: files of somebody else stay."""

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
"""Files of a hub beside those of its stages. The marks of the hub come last, so that an interrupted removal can be
repeated."""
TOOL = ".snakemake"
"""Folder in which Snakemake keeps its records."""


def remove(root: Hub, keep: tuple[str, ...] = ()) -> list[str]:
    """Delete what a study made in its folder, and the folders that are empty after that.

    Parameters
    ----------
    root
        Folder of the study.
    keep
        Hub-relative names of files that stay.

    Returns
    -------
    Other files that are left, hub-relative and sorted
    """
    study, kept = study_of(root), {root / name for name in keep}
    every = hubs(root, study) if study else [root]
    for path in made(root, study):
        if path not in kept:
            path.unlink()
    # Inner hubs come first, so that the folders above them can become empty.
    for hub in reversed(every):
        for folder in FOLDERS:
            for place, _, _ in os.walk(hub / folder, topdown=False):
                _remove_if_empty(Path(place))
        if hub == root:
            remove_tool(hub)
        _remove_if_empty(hub.root)
    return sorted(root.relative(path) for path in _files(root.root) if path not in kept)


def remove_tool(root: Hub) -> None:
    """Delete the folder in which Snakemake keeps its records of a run. It names paths of this machine."""
    if not (root / TOOL).is_symlink():
        shutil.rmtree(root / TOOL, ignore_errors=True)


def made(root: Hub, study: Study | None) -> list[Path]:
    """Return the files below a folder that a study wrote.

    The names come from the plan and from the stamps of the stages; the stamps alone tell them where the plan cannot be
    read.

    Parameters
    ----------
    root
        Folder of the study.
    study
        Its plan; None where it cannot be read.

    Returns
    -------
    Existing files and links, the marks of the hubs last
    """
    every = hubs(root, study) if study else [root]
    names = [root / stage.under(name) for stage in (graph(study) if study else []) for name in _names(stage)]
    names += [hub / name for hub in every for name in _stamped(hub)]
    names += [hub / name for name in FIXED for hub in reversed(every)]
    real = root.root.resolve()
    found: dict[Path, None] = {}
    for path in names:
        if not path.parent.resolve().is_relative_to(real):
            continue  # the path leaves the folder through a link, or a forged stamp names it
        cut = path.parent.glob(f".{glob.escape(path.name)}.*")  # files that an interrupted process was writing
        found |= dict.fromkeys(p for p in (path, *cut) if p.is_symlink() or p.is_file())
    return list(found)


def _names(stage: Stage) -> list[str]:
    """Return the hub-relative names of all files that a stage leaves."""
    return [*stage.outputs, stage.log, stage.executed, stage.part, paths.stamp(stage.name)]


def _stamped(hub: Hub) -> Iterator[str]:
    """Yield the hub-relative names of the outputs that the stamps of a hub list, and of the stamps themselves."""
    for path in sorted((hub / "analysis/stages").glob("*.json")):
        try:
            outputs = list(json.loads(path.read_text(encoding="utf-8"))["outputs"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        # A stamp may be forged: a name must not lead out of the hub.
        yield from (name for name in outputs if not {"..", "/"} & set(PurePosixPath(name).parts))
        yield hub.relative(path)


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder if it is empty, and leave it alone otherwise."""
    with suppress(OSError):  # it holds something, is a link, or is gone already
        folder.rmdir()


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, and links to folders, which are not followed."""
    for place, folders, names in os.walk(folder):
        yield from (Path(place) / name for name in names)
        yield from (path for name in folders if (path := Path(place) / name).is_symlink())
