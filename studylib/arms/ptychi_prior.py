"""PtyChi deep prior: the object is the output of a network that pty-chi fits to this one scan.

The weights of a convolutional network with a fixed random input are fitted to the counts by pty-chi's automatic
differentiation. The structure of the network is the prior; nothing is learned from other scans. The network fits the
noise last, so the number of epochs keeps the noise out. It is chosen by split counts, as every option.

References
----------
Ulyanov, Vedaldi, Lempitsky, Deep image prior, CVPR (2018).
Du et al., Pty-chi: a PyTorch-based modern ptychographic data analysis package, arXiv:2510.20929 (2025).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
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
from studylib.physics.windows import window_corners
from studylib.reconstruction import Reconstruction, peak_memory_mib
from studylib.scan import Scan

IN_CHANNELS = 32
"""Channels of the fixed random input."""


class DeepPriorSettings(Frozen):
    """Settings of pty-chi's deep image prior."""

    network: Literal["autoencoder", "unet"] = "autoencoder"
    """The autoencoder has no connections that bypass its coarsest level. Pty-chi's U-Net has them, and is four times as
    slow."""
    levels: int = Field(3, ge=1)
    """Number of times that the autoencoder halves the image."""
    width: int = Field(32, ge=1)
    """Feature maps at the first level of the autoencoder; the next level has twice as many."""
    epochs: int = Field(100, ge=1)
    """Passes over all patterns. More epochs fit finer structure and, in the end, the noise."""
    batches: int = Field(1, ge=1)
    """Batches in an epoch. The network makes the whole object for each of them."""
    step: float = Field(1e-3, gt=0)
    """Learning rate of Adam."""
    loss: Literal["poisson", "mse_sqrt"] = "poisson"
    """Loss that is minimised: the Poisson likelihood, or the squared difference of the amplitudes."""


class PtyChiDeepPrior(Arm):
    """The arm that fits the weights of a network to the counts; the object is the output of the network."""

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
        """Fit the network, and return the object that its last weights give.

        Returns
        -------
        The reconstruction; `loss` is the loss that pty-chi displays, one value for each epoch

        Raises
        ------
        StageError
            The object is not finite.

        Notes
        -----
        Images in `starts` are not used: the network determines the first object.
        """
        begin, loss = time.perf_counter(), list[float]()
        (top, left), part = _lit(scan)
        # The task needs an object of the right size; the output of the network takes its place.
        task = _task(settings, part, np.ones(part.shape, np.complex64), seeds.iteration)
        with progress.bar(settings.epochs, self.name, "epoch") as bar:
            for _ in range(settings.epochs):
                task.run(1)
                loss.append(float(task.reconstructor.loss_tracker.table["loss"].iloc[-1]))
                bar.update(1)
        found = np.asarray(task.get_data_to_cpu("object", as_numpy=True))[0]
        image = np.full(scan.shape, scan.best_constant(), np.complex64)
        image[top : top + part.shape[0], left : left + part.shape[1]] = found
        if not np.isfinite(image).all():
            raise StageError(f"{self.name} diverged: its object holds NaN or infinity")
        return Reconstruction(image, np.array(loss), time.perf_counter() - begin, peak_memory_mib())

    def memory_mib(self, scan: Scan) -> float:
        """Return the memory that pty-chi takes, MiB.

        It holds all patterns at once, and the feature maps of the network at the size of the object.

        Parameters
        ----------
        scan
            Scan to be reconstructed.
        """
        # Measured: 50 bytes per pixel of all patterns, 6 kB (U-Net: 12 kB) per object pixel.
        return 600 + (50 * len(scan.positions) * scan.n_pixels**2 + 6_200 * np.prod(_lit(scan)[1].shape)) / 2**20

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return numbers of epochs; in later rounds networks that follow finer or coarser structure.

        Parameters
        ----------
        best
            Best settings so far; None in the first round.

        Returns
        -------
        Values of `epochs`, then of `levels` and `network`
        """
        if best is None:
            return [{"epochs": epochs} for epochs in (50, 100, 200)]
        return [{**best, "levels": 2}, {**best, "levels": 4}, {**best, "network": "unet"}]

    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return the patterns of pty-chi's forward model for automatic differentiation.

        Parameters
        ----------
        image : (rows, columns) complex64
        scan
            Probe, positions and background.

        Returns
        -------
        (positions, N, N) float32, photons, zero frequency in the centre; masked pixels are not set to 0
        """
        return expected_of(_task(None, scan, np.ascontiguousarray(image, np.complex64), 0), scan)


def _lit(scan: Scan) -> tuple[tuple[int, int], Scan]:
    """Return the part of the frame that windows cover, which is all that the network has to make.

    Returns
    -------
    corner
        Its first row and column, even numbers: positions half-way between two pixels go to the even one.
    scan
        The scan in the frame of that part.
    """
    corners = window_corners(scan.positions, scan.n_pixels, scan.shape)
    # pty-chi reads one pixel beyond each window.
    top, left = (np.maximum(corners.min(axis=0) - 1, 0) // 2 * 2).tolist()
    bottom, right = np.minimum(corners.max(axis=0) + scan.n_pixels + 1, scan.shape).tolist()
    return (top, left), replace(scan, positions=scan.positions - (left, top), shape=(bottom - top, right - left))


def _task(settings: DeepPriorSettings | None, scan: Scan, start: NDArray[np.complex64], seed: int) -> Any:
    """Return pty-chi's task with the network, or without it.

    Parameters
    ----------
    settings
        Settings of the network; None for a task without a network, whose object is `start` itself.
    scan
        Counts, probe and positions.
    start : (rows, columns) complex64
        First object.
    seed
        Seed of pty-chi's random numbers.

    Returns
    -------
    `ptychi.api.task.PtychographyTask`
    """
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
        # Modulus and phase have no bounds, since the object's modulus is 1 in vacuum and a sigmoid never reaches 1.
        prior.model_params = {
            "num_in_channels": IN_CHANNELS, "num_levels": told.levels, "base_channels": told.width,
            "use_batchnorm": True, "sigmoid_on_magnitude": False, "scaled_tanh_on_phase": False,
        }  # fmt: skip
    task = task_of(options, scan, start)
    if told.loss == "poisson":
        # Pty-chi 2.2.0 offers this loss with torch's default, which takes its input as the logarithm of a rate.
        task.reconstructor.loss_function = torch.nn.PoissonNLLLoss(log_input=False)
    return task
