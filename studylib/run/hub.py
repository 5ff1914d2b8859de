"""The hub: the folder of one run, and the paths below it."""

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
"""Hub-relative path of the log of the run itself."""
NEW_HUB = "give --hub a new folder, such as reports/my-run"
MARKS = ("plan/hub.json", "plan/run.json")
"""Files that mark a folder as a hub: the first is written when the folder is made, the second when a run starts. A hub
holds at least one of them."""


@dataclass(frozen=True)
class Hub:
    """Paths below a hub. Artefacts name files by their `relative` path only (TYPE-PATH-001).

    Parameters
    ----------
    root
        Folder of the hub. It is made absolute.

    Raises
    ------
    InputError
        The path holds a brace.
    """

    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).absolute())
        # papermill and Snakemake read braces in a path as a placeholder.
        if "{" in str(self.root) or "}" in str(self.root):
            raise InputError("hub", self.root.name, "a path without braces", "give --hub reports/my-run")

    @property
    def exists(self) -> bool:
        """Whether the folder is a hub already."""
        return any((self.root / mark).is_file() for mark in MARKS)

    def check_folder(self) -> None:
        """Refuse a folder that holds files and is not a hub, because these files belong to somebody else.

        Raises
        ------
        InputError
            The path is not a folder, cannot be read, or is neither empty nor a hub.
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
        """Make the folders of the hub. The hub's own folder must be new, empty, or a hub already.

        Returns
        -------
        The hub itself

        Raises
        ------
        InputError
            The folder holds files of somebody else, or cannot be made or written to.
        """
        self.check_folder()
        try:
            for folder in FOLDERS:
                (self.root / folder).mkdir(parents=True, exist_ok=True)
            if not self.exists:
                self.mark()
            # An existing folder may still be read-only; only a write shows it.
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
        """Write the file that marks a folder as a hub. Hubs of earlier versions have plan/run.json alone."""
        write_json(self.root / MARKS[0], {"study": STUDY_ID})

    def relative(self, path: str | Path) -> str:
        """Return a path relative to the hub, in POSIX form.

        Parameters
        ----------
        path
            An absolute path below the hub, or a path that is relative to the hub already.

        Returns
        -------
        Hub-relative path with forward slashes

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
        """Return the data set of a split, simulated or thinned from a measured scan (phase C).

        Parameters
        ----------
        dose
            Mean photons per pattern.
        split
            train or test.

        Returns
        -------
        Absolute path of an NPZ
        """
        return self / paths.phase_c(dose, split)

    def phase_d(self, dose: int, view: str, split: str) -> Path:
        """Return the data set of a view (phase D).

        Parameters
        ----------
        dose
            Mean photons per pattern.
        view
            dense or sparse.
        split
            train or test.

        Returns
        -------
        Absolute path of an NPZ
        """
        return self / paths.phase_d(dose, view, split)

    def overlap_metrics(self, dose: int, view: str) -> Path:
        """Return the overlap metrics of a view, both splits in one file.

        Parameters
        ----------
        dose
            Mean photons per pattern.
        view
            dense or sparse.

        Returns
        -------
        Absolute path of a JSON file
        """
        return self / paths.overlap_metrics(dose, view)

    def phase_e(self, dose: int, view: str, key: str) -> Path:
        """Return the folder of a trained arm (phase E).

        Parameters
        ----------
        dose
            Mean photons per pattern at which the arm was trained.
        view
            dense or sparse.
        key
            Key of the arm.

        Returns
        -------
        Absolute path of a folder
        """
        return self / paths.phase_e(dose, view, key)

    def phase_f(self, dose: int, view: str, split: str, key: str) -> Path:
        """Return an arm's reconstruction of a split (phase F).

        Parameters
        ----------
        dose
            Mean photons per pattern.
        view
            dense or sparse.
        split
            train or test.
        key
            Key of the arm.

        Returns
        -------
        Absolute path of an NPZ
        """
        return self / paths.phase_f(dose, view, split, key)

    def comparison(self, dose: int, view: str, split: str) -> Path:
        """Return the folder of a comparison (phase G).

        Parameters
        ----------
        dose
            Mean photons per pattern.
        view
            dense or sparse.
        split
            train or test.

        Returns
        -------
        Absolute path of a folder
        """
        return self / paths.comparison(dose, view, split)
