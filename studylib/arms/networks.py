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
    """Training and grouping of PtychoPINN."""

    steps: int = Field(1_200, ge=1)
    grouping: GroupingSettings = GroupingSettings()
    updates: int = Field(0, ge=0)
    """Updates that a group's patterns make of its object before the network, which then corrects it; 0: the network
    makes the object from one step. Where photons are many they give what the network alone does not learn."""


class BaselineSettings(TrainingSettings):
    """Training of the Baseline; a supervised step takes less time, so that both train equally long."""

    steps: int = Field(1_700, ge=1)


class AdaptSettings(PinnSettings):
    """Fine-tuning of PtychoPINN."""

    epochs: int = Field(20, ge=1)
    """Passes over the positions to be reconstructed."""


class Network(Arm):
    """What the arms that are networks have in common: files, prediction and its cost."""

    def save(self, trained: Any, folder: Path) -> None:
        """Write model.keras."""
        from studylib.learn.predict import save_network

        save_network(trained.network, folder / "model.keras")

    def load(self, folder: Path, remedy: str) -> Any:
        """Return the trained network."""
        from studylib.learn.predict import load_network

        return load_network(folder / "model.keras", remedy)

    def for_scan(self, trained: Any, scan: Scan, settings: Any) -> Any:
        """Return the network with the probe and the scale of another scan, and the same weights."""
        from studylib.learn.train import for_scan

        return for_scan(trained, scan, settings, getattr(settings, "updates", 0))

    def _predict(self, scan: Scan, grouping: GroupingSettings, seeds: Seeds, network: Any) -> Reconstruction:
        from studylib.learn.predict import reconstruct

        start = time.perf_counter()
        image = reconstruct(network, scan, grouping, seeds.grouping)
        return Reconstruction(image, np.zeros(0), time.perf_counter() - start, peak_memory_mib())

    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return what the physics layer of PtychoPINN expects of the windows of an object."""
        from studylib.learn.predict import expected

        return expected(image, scan)


class PtychoPINN(Network):
    """The physics-informed network: groups of patterns to object patches, trained by the likelihood of the counts."""

    name: ClassVar = "PtychoPINN"
    key: ClassVar = "pinn"
    colour: ClassVar = "#0072b2"
    settings: ClassVar = PinnSettings
    trains: ClassVar = True

    def train(
        self, scan: Scan, patches: Image | None, settings: Any, seeds: Seeds, images: Images | None = None
    ) -> Any:
        """Train on counts alone."""
        from studylib.learn.train import train_pinn

        return train_pinn(scan, settings.grouping, settings, seeds.training, seeds.grouping, settings.updates)

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return networks without and with skip connections, on all and on thinned counts; then with updates."""
        if best is None:
            return [{"skips": skips, "thinning": share} for share in (0.0, 0.1) for skips in (False, True)]
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
        """Predict the patches of all groups and stitch them."""
        return self._predict(scan, settings.grouping, seeds, trained)


class Baseline(Network):
    """The supervised network: one pattern to one object patch, trained on true patches."""

    name: ClassVar = "Baseline"
    key: ClassVar = "baseline"
    colour: ClassVar = "#e69f00"
    settings: ClassVar = BaselineSettings
    trains: ClassVar = True
    needs_truth: ClassVar = True
    has_forward_model: ClassVar = False

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return networks without and with skip connections."""
        return [] if best is not None else [{"skips": False}, {"skips": True}]

    def train(
        self, scan: Scan, patches: Image | None, settings: Any, seeds: Seeds, images: Images | None = None
    ) -> Any:
        """Train on patterns and true patches."""
        from studylib.learn.train import train_baseline

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
        """Predict the patch of every pattern and stitch them."""
        return self._predict(scan, GroupingSettings(), seeds, trained)


class FineTuned(Network):
    """PtychoPINN, trained further on the very patterns that it is to reconstruct."""

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
        """Fine-tune, then predict."""
        from studylib.learn.train import adapt_pinn

        return adapt_pinn(trained, scan, settings.grouping, settings, seeds, settings.epochs)
