"""Unrolled: a network in the loop, on the canvas, that corrects MAP's image; trained without truth on split counts."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from studylib.arms.base import Arm, Image, Images
from studylib.design import Frozen, Seeds
from studylib.errors import StageError
from studylib.io.files import write_with
from studylib.io.npz import read_members
from studylib.reconstruction import Reconstruction, peak_memory_mib
from studylib.scan import Scan

TOLD = "_network"
"""Member of weights.npz that tells how the network is built."""


class UnrolledSettings(Frozen):
    """Settings of the network and of its training."""

    unrolled: int = Field(2, ge=1)
    """Physics steps, each with a learned one."""
    width: int = Field(16, ge=4)
    """Feature maps at the first scale of each learned step; the next have twice as many."""
    thinning: float = Field(0.4, gt=0, lt=1)
    """q: share of the counts that the loss is taken from; image and gradient are made of the others."""
    draws: int = Field(4, ge=1)
    """Divisions of the counts; each costs an image of the arm that this one starts from."""
    steps: int = Field(1_500, ge=1)
    patterns_per_piece: int = Field(64, ge=1)
    """Positions in the piece of the canvas that a step learns from, about."""
    learning_rate: float = Field(1e-3, gt=0)
    warmup_fraction: float = Field(0.03, gt=0, lt=1)
    clip_norm: float = Field(1.0, gt=0)
    validation_fraction: float = Field(0.1, gt=0, lt=0.5)
    """Share of the positions that is held out, to judge whether the network is better than its start."""
    evaluations: int = Field(10, ge=1)
    """How many times the held-out loss is taken."""
    mixed_precision: bool = True
    """Convolutions in bfloat16 where the processor has it; the physics is float32 always."""


class Unrolled(Arm):
    """Physics steps with a learned step between them, from MAP's image."""

    name: ClassVar = "Unrolled"
    key: ClassVar = "unrolled"
    colour: ClassVar = "#000000"
    settings: ClassVar = UnrolledSettings
    trains: ClassVar = True
    weights: ClassVar = "weights.npz"
    after: ClassVar = ("map",)
    error_from_halves: ClassVar = True

    def train(
        self, scan: Scan, patches: Image | None, settings: Any, seeds: Seeds, images: Images | None = None
    ) -> Any:
        """Divide the counts, let MAP make an image of each first share, and train by the likelihood of the second."""
        import torch

        from studylib.learn.canvas import device
        from studylib.learn.split_training import Splits, train_unrolled
        from studylib.learn.unrolled import UnrolledNetwork

        if images is None:
            raise StageError(f"{self.name} is trained on images of {self.after[0]}, and none can be made")
        begin, generator = time.perf_counter(), np.random.default_rng(seeds.training)
        torch.manual_seed(seeds.training)
        network = UnrolledNetwork(settings.unrolled, settings.width, _low_precision(settings)).to(device())
        splits = Splits(
            scan, lambda part: images(part)[self.after[0]], settings.thinning, settings.draws,
            settings.patterns_per_piece, settings.validation_fraction, generator,
        )  # fmt: skip
        return train_unrolled(network, splits, settings, seeds.training, begin)

    def save(self, trained: Any, folder: Path) -> None:
        """Write weights.npz: every weight by its name, and how the network is built."""
        network = trained.network
        told = {"steps": len(network.learned), "width": network.width, "falls_back": network.falls_back}
        members: dict[str, Any] = {name: weights.cpu().numpy() for name, weights in network.state_dict().items()}
        members[TOLD] = json.dumps(told)
        write_with(folder / self.weights, lambda file: np.savez(file, **members))

    def load(self, folder: Path, remedy: str) -> Any:
        """Return the trained network."""
        import torch

        from studylib.learn.canvas import device
        from studylib.learn.unrolled import UnrolledNetwork

        path = folder / self.weights
        told = json.loads(str(read_members(path, (TOLD,), remedy)[TOLD]))
        network = UnrolledNetwork(told["steps"], told["width"])
        names = tuple(network.state_dict())
        members = read_members(path, names, remedy)
        network.load_state_dict({name: torch.from_numpy(members[name]) for name in names})
        network.falls_back = told["falls_back"]
        return network.to(device())

    def reconstruct(
        self,
        scan: Scan,
        settings: Any,
        seeds: Seeds,
        trained: Any = None,
        starts: Mapping[str, NDArray[np.complex64]] | None = None,
    ) -> Reconstruction:
        """Correct MAP's image by the trained steps."""
        from studylib.learn.split_training import apply_unrolled

        if not starts:
            raise StageError(f"{self.name} starts from an image of {self.after[0]}, and is given none")
        begin = time.perf_counter()
        trained.low_precision = _low_precision(settings)
        image = apply_unrolled(trained, scan, next(iter(starts.values())))
        note = "its start: the network explained held-out counts worse" if trained.falls_back else ""
        return Reconstruction(image, np.zeros(0), time.perf_counter() - begin, peak_memory_mib(), note)

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return shares of the counts to learn from, then a wider network."""
        if best is None:
            return [{"thinning": share} for share in (0.2, 0.4)]
        return [{**best, "unrolled": 3}, {**best, "width": 24}]

    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return the patterns that its physics step expects."""
        import torch

        from studylib.learn.canvas import Canvas, device

        canvas = Canvas(scan, 1.0, 1.0, (0, 0), scan.shape)
        counts = canvas.expected(torch.from_numpy(np.ascontiguousarray(image, np.complex64)).to(device()))
        return np.fft.fftshift(counts.cpu().numpy(), axes=(1, 2))


def _low_precision(settings: UnrolledSettings) -> bool:
    from studylib.learn.backend import precision

    return precision(settings.mixed_precision) != "float32"
