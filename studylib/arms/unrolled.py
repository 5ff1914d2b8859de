"""Unrolled: a network in the loop, on the canvas, that corrects MAP's image.

It is trained on split counts, without the truth, and so on the very scan that it reconstructs: what another object
teaches may be wrong for this one. `studylib.learn.unrolled` holds the network.
"""

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
    """Number of physics steps, each with a learned step."""
    width: int = Field(16, ge=4)
    """Feature maps at the first scale of each learned step; the next scales have twice as many."""
    thinning: float = Field(0.4, gt=0, lt=1)
    """q: share of the counts from which the loss is taken; image and gradient are made from the other counts."""
    draws: int = Field(4, ge=1)
    """Number of splits of the counts; each costs one image of the arm from which this one starts."""
    steps: int = Field(1_500, ge=1)
    """Training steps."""
    patterns_per_piece: int = Field(64, ge=1)
    """Approximate number of positions in the piece of the canvas from which a step learns."""
    learning_rate: float = Field(1e-3, gt=0)
    """Largest learning rate of Adam."""
    warmup_fraction: float = Field(0.03, gt=0, lt=1)
    """Fraction of the steps in which the learning rate rises to its largest value."""
    clip_norm: float = Field(1.0, gt=0)
    """Gradient norm above which a step is scaled down."""
    validation_fraction: float = Field(0.1, gt=0, lt=0.5)
    """Fraction of the positions that is held out, to judge whether the network is better than its start."""
    evaluations: int = Field(10, ge=1)
    """Number of times that the held-out loss is computed."""
    mixed_precision: bool = True
    """Whether convolutions use bfloat16 where the processor has it; the physics is always float32."""


class Unrolled(Arm):
    """Physics steps, each with a learned step, starting from MAP's image."""

    name: ClassVar = "Unrolled"
    key: ClassVar = "unrolled"
    colour: ClassVar = "#000000"
    settings: ClassVar = UnrolledSettings
    trains: ClassVar = True
    trains_on: ClassVar = "test"
    weights: ClassVar = "weights.npz"
    after: ClassVar = ("map",)
    error_from_halves: ClassVar = True

    def train(
        self, scan: Scan, patches: Image | None, settings: Any, seeds: Seeds, images: Images | None = None
    ) -> Any:
        """Train the network by the likelihood of counts that its input has not seen.

        The counts are split several times into two shares. MAP makes an image of the first share; the network corrects
        it, and the likelihood of the second share is the loss. `patches` is not used.

        Returns
        -------
        `studylib.reconstruction.Trained`; its time includes that of MAP's images

        Raises
        ------
        StageError
            No function for MAP's images is given, or the training diverged.
        """
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
        """Write weights.npz: every weight by its name, and a member that tells how the network is built.

        Parameters
        ----------
        trained
            What `train` returned.
        folder
            Folder of the training.
        """
        network = trained.network
        told = {"steps": len(network.learned), "width": network.width, "falls_back": network.falls_back}
        members: dict[str, Any] = {name: weights.cpu().numpy() for name, weights in network.state_dict().items()}
        members[TOLD] = json.dumps(told)
        write_with(folder / self.weights, lambda file: np.savez(file, **members))

    def load(self, folder: Path, remedy: str) -> Any:
        """Read the trained network from weights.npz.

        Parameters
        ----------
        folder
            Folder of the training.
        remedy
            Command that makes the training, for the error message.

        Returns
        -------
        `studylib.learn.unrolled.UnrolledNetwork` on the device that computes

        Raises
        ------
        InputError
            The file is absent or damaged.
        """
        import torch

        from studylib.learn.canvas import device
        from studylib.learn.unrolled import UnrolledNetwork

        path = folder / self.weights
        told = json.loads(str(read_members(path, (TOLD,), remedy)[TOLD]))
        network = UnrolledNetwork(told["steps"], told["width"])
        names = tuple(network.state_dict())
        members = read_members(path, names, remedy)
        network.load_state_dict({name: torch.from_numpy(members[name]) for name in names})
        # Not a weight, so that the state of the network does not hold it.
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
        """Correct MAP's image by the trained steps.

        Returns
        -------
        The reconstruction; `loss` is empty, and the time does not include that of MAP

        Raises
        ------
        StageError
            No image to start from is given, or the result is not finite.

        Notes
        -----
        A network that explained held-out counts worse than MAP's image is not used: the result is MAP's image, and a
        note says so.
        """
        from studylib.learn.split_training import apply_unrolled

        if not starts:
            raise StageError(f"{self.name} starts from an image of {self.after[0]}, and is given none")
        begin = time.perf_counter()
        trained.low_precision = _low_precision(settings)
        image = apply_unrolled(trained, scan, next(iter(starts.values())))
        note = "its start: the network explained held-out counts worse" if trained.falls_back else ""
        return Reconstruction(image, np.zeros(0), time.perf_counter() - begin, peak_memory_mib(), note)

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return shares of the counts for the loss; in later rounds more physics steps and a wider network.

        Parameters
        ----------
        best
            Best settings so far; None in the first round.

        Returns
        -------
        Values of `thinning`, then of `unrolled` and `width`
        """
        if best is None:
            return [{"thinning": share} for share in (0.2, 0.4)]
        return [{**best, "unrolled": 3}, {**best, "width": 24}]

    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return the patterns that the physics step of the network expects.

        Parameters
        ----------
        image : (rows, columns) complex64
        scan
            Probe, positions, mask and background.

        Returns
        -------
        (positions, N, N) float32, photons, zero frequency in the centre; 0 at masked pixels
        """
        import torch

        from studylib.learn.canvas import Canvas, device

        # One piece that covers the whole frame; with gauge 1 the object is in its own units.
        canvas = Canvas(scan, 1.0, 1.0, (0, 0), scan.shape)
        counts = canvas.expected(torch.from_numpy(np.ascontiguousarray(image, np.complex64)).to(device()))
        return np.fft.fftshift(counts.cpu().numpy(), axes=(1, 2))  # (position, row, column)


def _low_precision(settings: UnrolledSettings) -> bool:
    """Return whether convolutions are computed in bfloat16: the settings want it and the processor has it."""
    from studylib.learn.backend import precision

    return precision(settings.mixed_precision) != "float32"
