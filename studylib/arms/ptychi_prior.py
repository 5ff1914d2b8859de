"""PtyChi deep prior: the object as the output of a network of pty-chi that is fitted to this one scan.

The weights of a convolutional network with a fixed random input are fitted to the counts by pty-chi's automatic
differentiation; its structure is the prior, and no other scan is learned from. The noise is fitted last, so that the
number of epochs is what keeps it out: it is chosen by split counts like every option.

References
----------
Ulyanov, Vedaldi, Lempitsky, Deep image prior, CVPR (2018).
Du et al., Pty-chi: a PyTorch-based modern ptychographic data analysis package, arXiv:2510.20929 (2025).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from studylib import progress
from studylib.arms.base import Arm
from studylib.arms.ptychi import expected_of, same_model, task_of
from studylib.arms.torchvision_shim import ready_torchvision
from studylib.design import Frozen, Seeds
from studylib.errors import StageError
from studylib.reconstruction import Reconstruction, peak_memory_mib
from studylib.scan import Scan

IN_CHANNELS = 32
"""Channels of the fixed random input."""


class DeepPriorSettings(Frozen):
    """Settings of pty-chi's deep image prior."""

    network: Literal["autoencoder", "unet"] = "autoencoder"
    """The autoencoder has no connections that go past its coarsest level; pty-chi's U-Net has, and is four times as slow."""
    levels: int = Field(3, ge=1)
    """Halvings of the autoencoder."""
    width: int = Field(32, ge=1)
    """Feature maps of the autoencoder's first level; the next has twice as many."""
    epochs: int = Field(600, ge=1)
    batches: int = Field(1, ge=1)
    """Batches in an epoch: for each one the network makes the whole object."""
    step: float = Field(1e-3, gt=0)
    """Learning rate of Adam."""
    loss: Literal["poisson", "mse_sqrt"] = "poisson"


class PtyChiDeepPrior(Arm):
    """The weights of a network whose output is the object, fitted to the counts."""

    name: ClassVar = "PtyChi deep prior"
    key: ClassVar = "ptychi_prior"
    colour: ClassVar = "#44aa99"
    settings: ClassVar = DeepPriorSettings

    def reconstruct(
        self,
        scan: Scan,
        settings: Any,
        seeds: Seeds,
        trained: Any = None,
        starts: Mapping[str, NDArray[np.complex64]] | None = None,
    ) -> Reconstruction:
        """Fit the network; the object of its last weights counts.

        Raises
        ------
        StageError
            The object is not finite.
        """
        begin, loss = time.perf_counter(), list[float]()
        task = _task(settings, scan, np.ones(scan.shape, np.complex64), seeds.iteration)
        with progress.bar(settings.epochs, self.name, "epoch") as bar:
            for _ in range(settings.epochs):
                task.run(1)
                loss.append(float(task.reconstructor.loss_tracker.table["loss"].iloc[-1]))
                bar.update(1)
        image = np.asarray(task.get_data_to_cpu("object", as_numpy=True))[0].astype(np.complex64)
        if not np.isfinite(image).all():
            raise StageError(f"{self.name} diverged: its object holds NaN or infinity")
        return Reconstruction(image, np.array(loss), time.perf_counter() - begin, peak_memory_mib())

    def memory_mib(self, scan: Scan) -> float:
        """Return what pty-chi takes: all patterns at once, and the maps of the network at the size of the object."""
        return 600 + (60 * len(scan.positions) * scan.n_pixels**2 + 2_500 * np.prod(scan.shape)) / 2**20

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return numbers of epochs, then networks that follow finer structure or coarser."""
        if best is None:
            return [{"epochs": epochs} for epochs in (200, 600, 1_500)]
        return [{**best, "levels": 2}, {**best, "levels": 4}, {**best, "network": "unet"}]

    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return the patterns of pty-chi's forward model for automatic differentiation."""
        return expected_of(_task(None, scan, np.ascontiguousarray(image, np.complex64), 0), scan)


def _task(settings: DeepPriorSettings | None, scan: Scan, start: NDArray[np.complex64], seed: int) -> Any:
    """Return pty-chi's task; without settings it has no network, and its object is what it starts from."""
    ready_torchvision()
    import torch
    from ptychi import api

    options: Any = api.AutodiffPtychographyOptions()
    told = settings or DeepPriorSettings()
    same_model(options, told.epochs, -(-len(scan.positions) // told.batches), seed)
    r, o = options.reconstructor_options, options.object_options
    r.loss_function = r.displayed_loss_function = api.LossFunctions.MSE_SQRT
    o.optimizer, o.step_size = api.Optimizers.ADAM, told.step
    prior = o.experimental.deep_image_prior_options
    prior.enabled, prior.net_input_channels = settings is not None, IN_CHANNELS
    if told.network == "unet":
        prior.model = api.enums.DIPModels.UNET
        prior.model_params = {"num_in_channels": IN_CHANNELS, "num_out_channels": 2}
    else:
        prior.model = api.enums.DIPModels.AUTOENCODER
        # No bounds on modulus and phase: the object's modulus is 1 in a vacuum, where a sigmoid never comes.
        prior.model_params = {
            "num_in_channels": IN_CHANNELS, "num_levels": told.levels, "base_channels": told.width,
            "use_batchnorm": True, "sigmoid_on_magnitude": False, "scaled_tanh_on_phase": False,
        }  # fmt: skip
    task = task_of(options, scan, start)
    if told.loss == "poisson":
        # pty-chi 2.2.0 offers this loss with torch's default, which takes what it is given for the logarithm of a rate.
        task.reconstructor.loss_function = torch.nn.PoissonNLLLoss(log_input=False)
    return task
