"""The arms that are networks: PtychoPINN, the Baseline, and PtychoPINN fine-tuned on the patterns to be reconstructed.

Keras is imported only when a network is used.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from studylib.arms.base import Arm, Image, Images
from studylib.design import GroupingSettings, Seeds, TrainingSettings
from studylib.reconstruction import Reconstruction, peak_memory_mib
from studylib.scan import Scan


class PinnSettings(TrainingSettings):
    """Settings of PtychoPINN: its training and the grouping of the patterns."""

    steps: int = Field(1_200, ge=1)
    """Training steps."""
    grouping: GroupingSettings = GroupingSettings()
    """How positions are grouped."""
    updates: int = Field(0, ge=0)
    """Number of error-reduction updates that a group's patterns make to the group's object before the network, which
    then corrects this object. With 0 the network makes the object itself, from a first estimate of one step. Where
    photons are many, the updates give what the network alone does not learn."""


class BaselineSettings(TrainingSettings):
    """Settings of the training of the Baseline.

    A supervised step takes less time. The Baseline therefore makes more steps, so that both networks train equally
    long.
    """

    steps: int = Field(1_700, ge=1)
    """Training steps."""


class AdaptSettings(PinnSettings):
    """Settings of the fine-tuning of PtychoPINN."""

    epochs: int = Field(20, ge=1)
    """Passes over the positions to be reconstructed."""


class Network(Arm):
    """What the arms that are networks share: reading and writing of the file, and prediction with its cost."""

    def save(self, trained: Any, folder: Path) -> None:
        """Write the network as model.keras.

        Parameters
        ----------
        trained
            What `train` returned.
        folder
            Folder of the training.

        Raises
        ------
        StageError
            The file, read again, does not give the same output.
        """
        from studylib.learn.predict import save_network

        save_network(trained.network, folder / "model.keras")

    def load(self, folder: Path, remedy: str) -> Any:
        """Read the trained network from model.keras.

        Parameters
        ----------
        folder
            Folder of the training.
        remedy
            Command that makes the training, for the error message.

        Returns
        -------
        The Keras model

        Raises
        ------
        InputError
            The file is absent or not a Keras file.
        """
        from studylib.learn.predict import load_network

        return load_network(folder / "model.keras", remedy)

    def for_scan(self, trained: Any, scan: Scan, settings: Any) -> Any:
        """Return the network with the probe and the scale of another scan, and the same weights.

        Parameters
        ----------
        trained
            Trained Keras model.
        scan
            Scan to be reconstructed.
        settings
            Settings of the training.

        Returns
        -------
        A new Keras model

        Raises
        ------
        StageError
            The windows of the scan have another size, or the settings describe another architecture.
        """
        from studylib.learn.train import for_scan

        return for_scan(trained, scan, settings, getattr(settings, "updates", 0))

    def _predict(self, scan: Scan, grouping: GroupingSettings, seeds: Seeds, network: Any) -> Reconstruction:
        """Predict the patches of all positions, stitch them and measure the time.

        Parameters
        ----------
        scan
            Scan to be reconstructed.
        grouping
            How positions are grouped; the Baseline sees single patterns and ignores it.
        seeds
            Seeds of the study; `grouping` draws the groups.
        network
            Trained Keras model.

        Returns
        -------
        The reconstruction; `loss` is empty
        """
        from studylib.learn.predict import reconstruct

        start = time.perf_counter()
        image = reconstruct(network, scan, grouping, seeds.grouping)
        return Reconstruction(image, np.zeros(0), time.perf_counter() - start, peak_memory_mib())

    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return the patterns that the physics layers of PtychoPINN expect for an object.

        Parameters
        ----------
        image : (rows, columns) complex64
        scan
            Probe and positions.

        Returns
        -------
        (positions, N, N) float32, photons, zero frequency in the centre
        """
        from studylib.learn.predict import expected

        return expected(image, scan)


class PtychoPINN(Network):
    """The physics-informed network. It maps groups of patterns to object patches.

    Its training maximises the likelihood of the counts and never sees an object.
    """

    name: ClassVar = "PtychoPINN"
    key: ClassVar = "pinn"
    colour: ClassVar = "#0072b2"
    settings: ClassVar = PinnSettings
    trains: ClassVar = True

    def train(
        self, scan: Scan, patches: Image | None, settings: Any, seeds: Seeds, images: Images | None = None
    ) -> Any:
        """Train by the likelihood of the counts alone; `patches` and `images` are not used.

        Returns
        -------
        `studylib.reconstruction.Trained`

        Raises
        ------
        StageError
            The training diverged.
        """
        from studylib.learn.train import train_pinn

        return train_pinn(scan, settings.grouping, settings, seeds.training, seeds.grouping, settings.updates)

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return networks with and without skip connections, on all and on thinned counts; then with updates.

        Parameters
        ----------
        best
            Best settings so far; None in the first round.

        Returns
        -------
        Values of `skips`, `thinning` and `updates`
        """
        if best is None:
            return [{"skips": skips, "thinning": share} for share in (0.0, 0.1) for skips in (False, True)]
        # More thinning is worth a try only where some thinning was better than none.
        thinner = [{**best, "thinning": 0.3}] if best.get("thinning") else []
        return [*thinner, {**best, "skips": True, "updates": 30}]

    def reconstruct(
        self,
        scan: Scan,
        settings: Any,
        seeds: Seeds,
        trained: Any = None,
        starts: Mapping[str, NDArray[np.complex64]] | None = None,
    ) -> Reconstruction:
        """Predict the patches of all groups and stitch them.

        Returns
        -------
        The reconstruction; `loss` is empty

        Raises
        ------
        StageError
            The network was trained at another intensity scale or group size, or its patches are not finite.

        Notes
        -----
        A pattern does not determine the global phase of its patch. Phase synchronisation therefore turns the patches
        until they agree where they overlap (`studylib.physics.stitch.stitch`).
        """
        return self._predict(scan, settings.grouping, seeds, trained)


class Baseline(Network):
    """The supervised network. It maps one pattern to one object patch and is trained on true patches."""

    name: ClassVar = "Baseline"
    key: ClassVar = "baseline"
    colour: ClassVar = "#e69f00"
    settings: ClassVar = BaselineSettings
    trains: ClassVar = True
    needs_truth: ClassVar = True
    has_forward_model: ClassVar = False

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return networks without and with skip connections, in one round."""
        return [] if best is not None else [{"skips": False}, {"skips": True}]

    def train(
        self, scan: Scan, patches: Image | None, settings: Any, seeds: Seeds, images: Images | None = None
    ) -> Any:
        """Train on patterns and true patches; `images` is not used.

        Returns
        -------
        `studylib.reconstruction.Trained`

        Raises
        ------
        StageError
            The training diverged.
        """
        from studylib.learn.train import train_baseline

        # `needs_truth` makes the caller pass them.
        assert patches is not None
        return train_baseline(scan, patches, settings, seeds.training)

    def reconstruct(
        self,
        scan: Scan,
        settings: Any,
        seeds: Seeds,
        trained: Any = None,
        starts: Mapping[str, NDArray[np.complex64]] | None = None,
    ) -> Reconstruction:
        """Predict the patch of every pattern and stitch the patches.

        Returns
        -------
        The reconstruction; `loss` is empty

        Raises
        ------
        StageError
            The network was trained at another intensity scale, or its patches are not finite.

        Notes
        -----
        The network has learned the true phase of its patches, so no phase synchronisation is needed.
        """
        return self._predict(scan, GroupingSettings(), seeds, trained)


class FineTuned(Network):
    """PtychoPINN, fine-tuned on the patterns to be reconstructed."""

    name: ClassVar = "PtychoPINN+adapt"
    key: ClassVar = "pinn_adapt"
    colour: ClassVar = "#56b4e9"
    settings: ClassVar = AdaptSettings
    options_of: ClassVar = "pinn"
    trained_by: ClassVar = "pinn"

    def reconstruct(
        self,
        scan: Scan,
        settings: Any,
        seeds: Seeds,
        trained: Any = None,
        starts: Mapping[str, NDArray[np.complex64]] | None = None,
    ) -> Reconstruction:
        """Fine-tune the network on the counts of the scan, then predict and stitch.

        Returns
        -------
        The reconstruction; `loss` is the training loss of each epoch of the fine-tuning, and the time includes it

        Raises
        ------
        StageError
            The fine-tuning diverged.

        Notes
        -----
        The fine-tuning changes the weights of `trained` in place.
        """
        from studylib.learn.train import adapt_pinn

        return adapt_pinn(trained, scan, settings.grouping, settings, seeds, settings.epochs)
