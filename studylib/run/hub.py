"""The hub: one folder for each run, and the paths in it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from studylib.design import STUDY_ID
from studylib.errors import InputError, StageError
from studylib.io.files import write_json
from studylib.run import paths

FOLDERS = ("plan", "summary", "red", "green", "collect", "cli", "analysis", "data", "notebooks")
LOG = "cli/run_phase_g_dense.log"
"""Log of the run itself."""
NEW_HUB = "give --hub a new folder, such as reports/my-run"
MARKS = ("plan/hub.json", "plan/run.json")
"""Files of which a hub holds at least one: written when its folder is made, and when a run starts."""


@dataclass(frozen=True)
class Hub:
    """Paths below a hub; what is written into artefacts is always `relative` (TYPE-PATH-001).

    Parameters
    ----------
    root
        The hub's folder.
    """

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).absolute())
        if "{" in str(self.root) or "}" in str(self.root):
            raise InputError("hub", self.root.name, "a path without braces", "give --hub reports/my-run")

    @property
    def exists(self) -> bool:
        """Return whether the folder is a hub already."""
        return any((self.root / mark).is_file() for mark in MARKS)

    def check_folder(self) -> None:
        """Refuse a folder that holds anything and is no hub: what lies there is somebody's.

        Raises
        ------
        InputError
            Not a folder, not readable, or neither empty nor a hub.
        """
        try:
            first = min(self.root.iterdir(), default=None) if self.root.exists() else None
        except OSError as error:
            raise InputError("hub", self.root, f"a readable folder ({error.strerror})", NEW_HUB) from error
        if first is not None and not self.exists:
            raise InputError(
                "hub", self.root, f"a new or empty folder, or a hub (this one holds {first.name})", NEW_HUB
            )

    def create(self) -> Hub:
        """Make the hub's folders, in a folder that is new or empty, or is a hub already.

        Raises
        ------
        InputError
            The folder holds somebody's files, or cannot be made or written to.
        """
        self.check_folder()
        try:
            for folder in FOLDERS:
                (self.root / folder).mkdir(parents=True, exist_ok=True)
            if not self.exists:
                self.mark()
            with tempfile.TemporaryFile(dir=self.root):
                pass
        except OSError as error:
            raise InputError(
                "hub",
                self.root,
                f"a folder that can be written to ({error.strerror})",
                "give --hub a folder of yours, such as reports/my-run",
            ) from error
        return self

    def mark(self) -> None:
        """Write the file that makes a folder a hub; one of an earlier version has its plan alone."""
        write_json(self.root / MARKS[0], {"study": STUDY_ID})

    def relative(self, path: str | Path) -> str:
        """Return the path relative to the hub, POSIX.

        Raises
        ------
        StageError
            The path is not below the hub.
        """
        path = Path(path)
        full = path if path.is_absolute() else self.root / path
        try:
            return full.relative_to(self.root).as_posix()
        except ValueError:
            raise StageError(f"{path.name} does not lie below the hub") from None

    def __truediv__(self, name: str) -> Path:
        return self.root / name

    def phase_c(self, dose: int, split: str) -> Path:
        """Return the simulated data set of a split."""
        return self / paths.phase_c(dose, split)

    def phase_d(self, dose: int, view: str, split: str) -> Path:
        """Return the data set of a view."""
        return self / paths.phase_d(dose, view, split)

    def overlap_metrics(self, dose: int, view: str) -> Path:
        """Return the overlap metrics of a view."""
        return self / paths.overlap_metrics(dose, view)

    def phase_e(self, dose: int, view: str, key: str) -> Path:
        """Return the folder of a trained arm."""
        return self / paths.phase_e(dose, view, key)

    def phase_f(self, dose: int, view: str, split: str, key: str) -> Path:
        """Return an arm's reconstruction of a split."""
        return self / paths.phase_f(dose, view, split, key)

    def comparison(self, dose: int, view: str, split: str) -> Path:
        """Return the folder of a comparison."""
        return self / paths.comparison(dose, view, split)
