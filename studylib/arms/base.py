"""What an arm is: a way to come from the patterns of a scan to an image of the object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from studylib import machine
from studylib.design import Frozen, Seeds
from studylib.errors import StageError
from studylib.reconstruction import Reconstruction
from studylib.scan import Scan

Image = NDArray[np.complex64]
Images = Callable[[Scan], Mapping[str, Image]]
"""From a scan, perhaps a share of the counts, to its images by some arms, (rows, columns) complex64 by key."""


def first_object(scan: Scan, start: NDArray[np.complex64] | None) -> NDArray[np.complex64]:
    """Return the image that an iterative arm begins with, (rows, columns) complex64.

    Parameters
    ----------
    scan
        Tells the best constant object, which stands where nothing is known.
    start : (rows, columns) complex64
        Image of another arm, 0 where it is not known; None for a constant object.
    """
    flat = np.full(scan.shape, scan.best_constant(), np.complex64)
    return flat if start is None else np.where(start == 0, flat, start).astype(np.complex64)


class Arm(ABC):
    """One arm of the study. A new one is a subclass in a file of its own and a line in the registry.

    Attributes
    ----------
    name
        Canonical name, in tables and reports.
    key
        Name in paths, on the command line and as a papermill parameter: lower case, no spaces.
    colour
        Of its curves and pictures, #rrggbb.
    settings
        Type of its settings; every field has a default.
    trains
        Whether it has to be trained on the training half before it reconstructs.
    needs_truth
        Whether its training needs the true object; such an arm drops out where there is none.
    after
        Keys of the arms whose image it starts from.
    weights
        File that a training leaves, beside history.csv and training.json.
    trained_by
        Key of the arm whose training it loads; empty where it needs none. An arm that trains loads its own.
    options_of
        Key of the arm whose chosen options it takes over; empty for its own.
    has_forward_model
        Whether it computes expected patterns; only a plain supervised network does not.
    error_from_halves
        Whether the error of its pixels is told from its images of two halves of the counts.
    without_prior
        For an arm that fits the object itself by iterations: the settings with which it has no prior, so that it must
        stay at the truth on noise-free patterns (one test starts every such arm there); None for the others.
    """

    name: ClassVar[str]
    key: ClassVar[str]
    colour: ClassVar[str]
    settings: ClassVar[type[Frozen]]
    trains: ClassVar[bool] = False
    weights: ClassVar[str] = "model.keras"
    needs_truth: ClassVar[bool] = False
    after: ClassVar[tuple[str, ...]] = ()
    trained_by: ClassVar[str] = ""
    options_of: ClassVar[str] = ""
    has_forward_model: ClassVar[bool] = True
    error_from_halves: ClassVar[bool] = False
    without_prior: ClassVar[dict[str, Any] | None] = None

    def train(
        self, scan: Scan, patches: Image | None, settings: Any, seeds: Seeds, images: Images | None = None
    ) -> Any:
        """Train on the training half of a view; arms that train say how.

        Parameters
        ----------
        scan
            Training half.
        patches : (positions, N, N) complex64
            True object patches, for arms that need the truth; None for the others.
        settings
            Of the type that the arm declares.
        seeds
            Seeds of the study.
        images
            Of the arms named in `after`; an arm that names none is not given it.

        Returns
        -------
        `studylib.reconstruction.Trained`
        """
        raise StageError(f"{self.name} is not an arm that trains")

    def save(self, trained: Any, folder: Path) -> None:
        """Write what `train` returned into a folder, as the file `weights`."""
        raise StageError(f"{self.name} is not an arm that trains")

    def load(self, folder: Path, remedy: str) -> Any:
        """Read what `reconstruct` needs of a training; None for arms that do not train.

        Raises
        ------
        InputError
            Not trained yet; the message says `remedy`.
        """
        return None

    def for_scan(self, trained: Any, scan: Scan, settings: Any) -> Any:
        """Return what `load` returned, ready for a scan of another dose or probe than it was trained on.

        Parameters
        ----------
        scan
            What is to be reconstructed.
        settings
            With which it was trained.
        """
        return trained

    @abstractmethod
    def reconstruct(
        self,
        scan: Scan,
        settings: Any,
        seeds: Seeds,
        trained: Any = None,
        starts: Mapping[str, NDArray[np.complex64]] | None = None,
    ) -> Reconstruction:
        """Reconstruct the object of a scan. The truth is not at hand.

        Parameters
        ----------
        scan
            Counts, probe and positions.
        settings
            Of the type that the arm declares.
        seeds
            Seeds of the study.
        trained
            What `load` returned.
        starts
            Images (rows, columns) complex64 of the arms named in `after`, by key. An iterative arm takes the first of
            them as its first object, whatever its key, and 0 as "not known".
        """

    def memory_mib(self, scan: Scan) -> float:
        """Return the memory in MiB that it takes of a large scan; 0 for an arm that reads patterns as it uses them.

        Parameters
        ----------
        scan
            Its patterns need not be in memory.
        """
        return 0.0

    def refuse_too_large(self, scan: Scan) -> None:
        """Refuse a scan for which this machine has not the memory.

        Raises
        ------
        InputError
            With what it would take, and what there is.
        """
        shape = len(scan.positions), scan.n_pixels, scan.n_pixels
        remedy = "leave the arm out, or give fewer patterns; MAP and the networks read patterns as they need them"
        machine.refuse_too_large(f"scan for {self.name}", shape, self.memory_mib(scan), remedy)

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return the settings to be tried by `make selection`, round by round.

        Parameters
        ----------
        best
            The best of the rounds before; None in the first.

        Returns
        -------
        Settings, as far as they differ from the defaults; nothing new ends the search
        """
        return []

    @abstractmethod
    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return the patterns that the arm's own forward model expects of an object.

        One test holds it against the simulation for every registered arm.

        Parameters
        ----------
        image : (rows, columns) complex64
        scan
            Probe and positions; its counts are not used.

        Returns
        -------
        (positions, N, N) float32, photons, zero frequency in the centre
        """
