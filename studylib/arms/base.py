"""The base class of all arms. An arm turns the diffraction patterns of a scan into an image of the object."""

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
"""Image of the object, (rows, columns), or patches of it, (positions, N, N)."""
Images = Callable[[Scan], Mapping[str, Image]]
"""Function that maps a scan, or a share of its counts, to images of the object by some arms: (rows, columns) complex64
by arm key."""


def first_object(scan: Scan, start: NDArray[np.complex64] | None) -> NDArray[np.complex64]:
    """Return the first object of an iterative arm.

    Parameters
    ----------
    scan
        Scan to be reconstructed. Its best constant object fills the pixels where nothing is known.
    start : (rows, columns) complex64
        Image of another arm in the frame of the scan, 0 where it is not known; None for a constant object.

    Returns
    -------
    (rows, columns) complex64
    """
    flat = np.full(scan.shape, scan.best_constant(), np.complex64)
    return flat if start is None else np.where(start == 0, flat, start).astype(np.complex64)  # 0: not known


class Arm(ABC):
    """Base class of the arms. A new arm is a subclass in a file of its own and a line in the registry.

    Attributes
    ----------
    name
        Canonical name, used in tables and reports.
    key
        Name used in paths, on the command line and as a papermill parameter: lower case, no spaces.
    colour
        Colour of the arm's curves and pictures, #rrggbb.
    settings
        Class of the arm's settings; every field has a default.
    trains
        Whether the arm has to be trained before it can reconstruct.
    trains_on
        Split whose patterns it learns from: the training half, or "test" for an arm that learns, without truth, from
        the very scan that is judged. Of a measured scan both are the whole scan.
    needs_truth
        Whether the training needs the true object. Such an arm drops out where there is no truth.
    after
        Keys of the arms whose images this arm starts from.
    weights
        Name of the file with the weights, which a training writes beside history.csv and training.json.
    trained_by
        Key of the arm whose training this arm loads; empty if it needs none. An arm that trains loads its own training.
    options_of
        Key of the arm whose chosen options this arm uses; empty if it uses its own.
    has_forward_model
        Whether the arm computes expected patterns. Only a plain supervised network does not.
    error_from_halves
        Whether the error of the arm's pixels is estimated from its images of two halves of the counts.
    without_prior
        For an arm that fits the object itself by iterations: settings that switch its prior off. With these settings
        it must stay at the truth on noise-free patterns (one test starts every such arm there). None for other arms.
    """

    name: ClassVar[str]
    key: ClassVar[str]
    colour: ClassVar[str]
    settings: ClassVar[type[Frozen]]
    trains: ClassVar[bool] = False
    trains_on: ClassVar[str] = "train"
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
        """Train the arm on the training half of a view. Arms that train override this method.

        Parameters
        ----------
        scan
            Training half of the view.
        patches : (positions, N, N) complex64
            True object patches for an arm that needs the truth; None for the other arms.
        settings
            Settings of the class that the arm declares.
        seeds
            Seeds of the study.
        images
            Function that makes the images of the arms named in `after`. It is given only to arms that name some.

        Returns
        -------
        `studylib.reconstruction.Trained`

        Raises
        ------
        StageError
            The arm does not train.
        """
        raise StageError(f"{self.name} is not an arm that trains")

    def save(self, trained: Any, folder: Path) -> None:
        """Write the result of a training into a folder, as the file `weights`.

        Parameters
        ----------
        trained
            What `train` returned.
        folder
            Folder of the training.

        Raises
        ------
        StageError
            The arm does not train.
        """
        raise StageError(f"{self.name} is not an arm that trains")

    def load(self, folder: Path, remedy: str) -> Any:
        """Read what `reconstruct` needs from a training.

        Parameters
        ----------
        folder
            Folder of the training.
        remedy
            Command that makes the training, for the error message.

        Returns
        -------
        The trained network; None for an arm that loads no training

        Raises
        ------
        InputError
            The arm has not been trained yet; the message names `remedy`.
        """
        return None

    def for_scan(self, trained: Any, scan: Scan, settings: Any) -> Any:
        """Return a trained network adapted to a scan of another dose or probe than it was trained on.

        Parameters
        ----------
        trained
            What `load` returned.
        scan
            Scan to be reconstructed.
        settings
            Settings of the training.

        Returns
        -------
        An object of the same kind as `trained`; by default `trained` itself
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
        """Reconstruct the object of a scan. The truth is not available here.

        Parameters
        ----------
        scan
            Counts, probe and positions.
        settings
            Settings of the class that the arm declares.
        seeds
            Seeds of the study.
        trained
            What `load` returned.
        starts
            Images of the arms named in `after`, (rows, columns) complex64 by key. An iterative arm takes the first of
            them as its first object, whatever its key, and reads 0 as "not known".

        Returns
        -------
        `studylib.reconstruction.Reconstruction`; its object is (rows, columns) complex64 in the frame of the positions
        """

    def memory_mib(self, scan: Scan) -> float:
        """Return the memory that the arm takes for a large scan, MiB.

        Parameters
        ----------
        scan
            Scan to be reconstructed; its patterns need not be in memory.

        Returns
        -------
        MiB; 0 for an arm that reads patterns only as it uses them
        """
        return 0.0

    def refuse_too_large(self, scan: Scan) -> None:
        """Refuse a scan that does not fit into the free memory of this machine.

        Parameters
        ----------
        scan
            Scan to be reconstructed.

        Raises
        ------
        InputError
            The scan does not fit; the message names the memory that it takes and the free memory.
        """
        shape = len(scan.positions), scan.n_pixels, scan.n_pixels
        remedy = "leave the arm out, or give fewer patterns; MAP and the networks read patterns as they need them"
        machine.refuse_too_large(f"scan for {self.name}", shape, self.memory_mib(scan), remedy)

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return the settings that `make selection` tries in one round.

        Parameters
        ----------
        best
            Best settings of the rounds so far; None in the first round.

        Returns
        -------
        Settings as far as they differ from the defaults. The search ends when a round proposes nothing new
        """
        return []

    @abstractmethod
    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return the patterns that the arm's own forward model expects for an object.

        One test compares them with the simulation, for every registered arm.

        Parameters
        ----------
        image : (rows, columns) complex64
            Object in the frame of the positions.
        scan
            Probe and positions; its counts are not used.

        Returns
        -------
        (positions, N, N) float32, photons, zero frequency in the centre
        """
