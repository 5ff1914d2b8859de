"""PtyChi: least-squares maximum likelihood (LSQML) of the package pty-chi.

It is given the same as the other arms: the counts, the same probe (held fixed), the same positions, a flat object to
start from, and a seed. Its options are chosen by split counts.

References
----------
Odstrcil, Menzel, Guizar-Sicairos, Iterative least-squares solver for generalized maximum-likelihood
ptychography, Opt. Express 26, 3108 (2018).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from studylib import progress
from studylib.arms.base import Arm, first_object
from studylib.arms.torchvision_shim import ready_torchvision
from studylib.design import Frozen, Seeds
from studylib.errors import StageError
from studylib.reconstruction import Reconstruction, peak_memory_mib
from studylib.scan import Scan


class PtyChiSettings(Frozen):
    """Settings of LSQML."""

    epochs: int = Field(40, ge=1)
    """Epochs of the run, or of the second run if there is a first one."""
    batches: int = Field(9, ge=1)
    """Batches in an epoch. A fixed batch size would give small scans fewer steps in an epoch."""
    noise_model: Literal["poisson", "gaussian"] = "poisson"
    """Noise that LSQML assumes in the counts."""
    batching: Literal["random", "compact"] = "compact"
    """Choice of the positions of a batch: at random, or close together (compact). Compact batches have momentum."""
    momentum: float = Field(0.5, ge=0)
    """Momentum of the object; pty-chi uses it with compact batches only."""
    step: float = Field(0.9, gt=0)
    """Factor of the step for which LSQML solves."""
    decay: float = Field(1.0, gt=0, le=1)
    """Factor by which the step of the object shrinks in every epoch."""
    tv: float = Field(0.3, ge=0)
    """Weight of pty-chi's total variation, which is applied once in every epoch (two steps of Chambolle's iteration); 0
    for none."""
    first_epochs: int = Field(0, ge=0)
    """Epochs of a first run, from whose image the second run starts; 0 for a single run."""
    first_batching: Literal["random", "compact"] = "random"
    """Batches of the first run. Random batches find the coarse structure soon; compact batches converge further."""
    first_tv: float | None = Field(None, ge=0)
    """Weight of the total variation in the first run; None for that of the second run."""


class RefiningSettings(PtyChiSettings):
    """Settings of LSQML that improves probe and positions together with the object."""

    free_probe: bool = True
    """Whether the probe is improved."""
    free_positions: bool = True
    """Whether the positions are improved."""
    position_step: float = Field(2.0, gt=0)
    """Factor of the step of the positions for which pty-chi solves. Pty-chi damps this step, and halves it at the
    position where the gradient is largest."""
    free_from: float = Field(0.3, ge=0, lt=1)
    """Fraction of the epochs of the last run before probe and positions are set free. An object that has not formed yet
    would draw them away."""


class PtyChi(Arm):
    """LSQML with probe and positions held fixed, started from a flat object."""

    name: ClassVar = "PtyChi"
    key: ClassVar = "ptychi"
    colour: ClassVar = "#009e73"
    settings: ClassVar = PtyChiSettings
    without_prior: ClassVar = {"tv": 0.0, "epochs": 20, "batches": 3}

    def reconstruct(
        self,
        scan: Scan,
        settings: Any,
        seeds: Seeds,
        trained: Any = None,
        starts: Mapping[str, NDArray[np.complex64]] | None = None,
    ) -> Reconstruction:
        """Reconstruct with LSQML.

        Returns
        -------
        The reconstruction; `loss` is the loss that pty-chi displays, one value for each epoch of all runs

        Raises
        ------
        StageError
            The object is not finite.

        Notes
        -----
        With compact batches the object of the epoch with the lowest loss in the second half of a run is kept; with
        random batches it is the object of the last epoch.
        """
        image = first_object(scan, next(iter((starts or {}).values()), None))
        loss: list[float] = []
        begin = time.perf_counter()
        with progress.bar(settings.first_epochs + settings.epochs, self.name, "epoch") as bar:
            # A new task for each run: the second starts from the image of the first, with its own options.
            for part in _schedule(settings):
                task = task_of(_options(part, seeds.iteration, len(scan.positions)), scan, image)
                least = np.inf
                for epoch in range(1, part.epochs + 1):
                    task.run(1)
                    loss.append(float(task.reconstructor.loss_tracker.table["loss"].iloc[-1]))
                    bar.update(1)
                    # Momentum sets in late, and together with total variation it may lead away from the minimum, so
                    # the best epoch is kept. The first half of a run does not count, because a stronger prior than in
                    # the run before raises the loss at first. Random batches have no momentum and a smaller step in
                    # every epoch, so their last epoch is kept.
                    kept = 2 * epoch >= part.epochs and not loss[-1] > least
                    if kept if part.batching == "compact" else epoch == part.epochs:
                        least = loss[-1]
                        image = np.asarray(task.get_data_to_cpu("object", as_numpy=True))[0].astype(np.complex64)
        seconds = time.perf_counter() - begin
        if not np.isfinite(image).all():
            raise StageError(f"{self.name} diverged: its object holds NaN or infinity")
        return Reconstruction(image, np.array(loss), seconds, peak_memory_mib())

    def memory_mib(self, scan: Scan) -> float:
        """Return the memory that pty-chi takes, MiB.

        It holds all patterns at once: 600 MiB and about 35 bytes for each pixel of each pattern (measured).

        Parameters
        ----------
        scan
            Scan to be reconstructed.
        """
        return 600 + 35 * len(scan.positions) * scan.n_pixels**2 / 2**20

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return settings that users of pty-chi would try, for few and for many photons; there is one round only.

        Parameters
        ----------
        best
            None in the only round.

        Returns
        -------
        Values of the settings; an empty list after the first round
        """
        if best is not None:
            return []
        compact: dict[str, Any] = {"batching": "compact", "batches": 9}
        random: dict[str, Any] = {"batching": "random", "tv": 1.0, "epochs": 40}
        return [
            compact | {"tv": 0.0, "epochs": 100},
            compact | {"tv": 0.0, "epochs": 100, "noise_model": "gaussian"},
            compact | {"tv": 0.03, "epochs": 100},
            compact | {"tv": 0.3, "epochs": 40},
            # Slow structure needs many epochs and noise needs a strong prior: one run for each.
            compact | {"tv": 0.3, "epochs": 40, "first_epochs": 100, "first_batching": "compact", "first_tv": 0.03},
            random | {"batches": 9, "decay": 0.93},
            random | {"batches": 6, "decay": 0.97},
            compact | {"tv": 1.0, "first_epochs": 10, "epochs": 10},
        ]

    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return the patterns of pty-chi's own forward model.

        Parameters
        ----------
        image : (rows, columns) complex64
        scan
            Probe, positions and background.

        Returns
        -------
        (positions, N, N) float32, photons, zero frequency in the centre; masked pixels are not set to 0
        """
        options = _options(self.settings(), 0, len(scan.positions))
        return expected_of(task_of(options, scan, np.ascontiguousarray(image, np.complex64)), scan)


class PtyChiRefining(PtyChi):
    """LSQML that improves probe and positions with the object, as its users do where these are not exact."""

    name: ClassVar = "PtyChi refining"
    key: ClassVar = "ptychi_refining"
    colour: ClassVar = "#117733"
    settings: ClassVar = RefiningSettings
    options_of: ClassVar = "ptychi"


class PtyChiFromPinn(PtyChi):
    """LSQML, started from PtychoPINN's image instead of a flat object."""

    name: ClassVar = "PtyChi from PtychoPINN"
    key: ClassVar = "ptychi_pinn"
    colour: ClassVar = "#cc79a7"
    options_of: ClassVar = "ptychi"
    after: ClassVar = ("pinn",)


def expected_of(task: Any, scan: Scan) -> NDArray[np.float32]:
    """Return the patterns that a pty-chi task expects for its present object.

    Parameters
    ----------
    task
        Task of pty-chi for the scan.
    scan
        Scan of the task; its background is added, since pty-chi's model has none.

    Returns
    -------
    (positions, N, N) float32, photons, zero frequency in the centre
    """
    import torch

    n = scan.n_pixels
    with torch.no_grad():
        told = task.reconstructor.forward_model(torch.arange(len(scan.positions)))
    light = np.fft.fftshift(np.asarray(told.detach().cpu()).reshape(-1, n, n), axes=(1, 2)).astype(np.float32)
    return light if scan.background is None else light + scan.background


def refine_probe(scan: Scan, fixed: int = 10, free: int = 30, seed: int = 0) -> NDArray[np.complex64]:
    """Return the probe of a scan after LSQML has improved it together with the object.

    Parameters
    ----------
    scan
        Counts, a probe to start from, and positions.
    fixed, free
        Epochs with the probe held fixed, and then with the probe free.
    seed
        Seed of the batches.

    Returns
    -------
    (N, N) complex64, sqrt(photons), scaled to the norm of the given probe, since the scale between probe and object is
    free

    Raises
    ------
    StageError
        The probe is not finite.
    """
    settings = PtyChiSettings(tv=0.0, batching="compact", momentum=0.0)
    image, probe = first_object(scan, None), scan.probe
    with progress.bar(fixed + free, "probe", "epoch") as bar:
        for epochs, moves in ((fixed, False), (free, True)):
            options = _options(settings, seed, len(scan.positions))
            options.probe_options.optimizable = moves
            task = task_of(options, scan, image)
            for _ in range(epochs):
                task.run(1)
                bar.update(1)
            image = np.asarray(task.get_data_to_cpu("object", as_numpy=True))[0].astype(np.complex64)
            probe = np.asarray(task.get_data_to_cpu("probe", as_numpy=True))[0, 0].astype(np.complex64)
    if not np.isfinite(probe).all():
        raise StageError("the probe diverged while it was refined: it holds NaN or infinity")
    return (probe * np.linalg.norm(scan.probe) / np.linalg.norm(probe)).astype(np.complex64)


def _schedule(settings: PtyChiSettings) -> list[PtyChiSettings]:
    """Return the settings of the runs that follow one another: one run, or two if `first_epochs` is set.

    The first of two runs holds probe and positions fixed.
    """
    if not settings.first_epochs:
        return [settings]
    tv = settings.tv if settings.first_tv is None else settings.first_tv
    first = {"epochs": settings.first_epochs, "batching": settings.first_batching, "tv": tv, "first_epochs": 0}
    fixed = {"free_probe": False, "free_positions": False} if isinstance(settings, RefiningSettings) else {}
    return [settings.model_copy(update=first | fixed), settings]


def same_model(options: Any, epochs: int, batch: int, seed: int) -> None:
    """Set pty-chi's options, in place, to the forward model of the study, with probe and positions held fixed.

    Parameters
    ----------
    options
        Options of any of pty-chi's reconstructors.
    epochs
        Number of epochs in all.
    batch
        Patterns in a batch.
    seed
        Seed of pty-chi's random numbers.
    """
    import torch
    from ptychi import api

    r, o = options.reconstructor_options, options.object_options
    r.num_epochs, r.batch_size, r.random_seed = epochs, max(1, batch), seed
    r.default_device = api.Devices.GPU if torch.cuda.is_available() else api.Devices.CPU
    # FOURIER moves the probe by a Fourier shift; BILINEAR would low-pass it. Pty-chi centres a window on (N - 1)/2, the
    # study on N/2: the origin makes up for the difference.
    o.patch_interpolation_method = api.PatchInterpolationMethods.FOURIER
    o.determine_position_origin_coords_by = api.ObjectPosOriginCoordsMethods.SPECIFIED
    o.position_origin_coords = np.full(2, -0.5)  # pty-chi's code needs an array
    o.remove_object_probe_ambiguity.enabled = False  # it would rescale the probe
    options.probe_options.optimizable = options.probe_position_options.optimizable = False


def _options(settings: PtyChiSettings, seed: int, n_positions: int) -> Any:
    """Return pty-chi's options for LSQML.

    Parameters
    ----------
    settings
        Settings of one run.
    seed
        Seed of the batches.
    n_positions
        Positions of the scan, from which the size of a batch follows.
    """
    ready_torchvision()
    from ptychi import api

    options: Any = api.LSQMLOptions()
    same_model(options, settings.epochs, -(-n_positions // settings.batches), seed)
    r, o = options.reconstructor_options, options.object_options
    r.noise_model = api.NoiseModels[settings.noise_model.upper()]
    # Pty-chi applies the momentum of the object with compact batches only.
    r.momentum_acceleration_gain = settings.momentum if settings.batching == "compact" else 0.0
    # The probe is given in photons, so pty-chi must not rescale it.
    r.rescale_probe_intensity_in_first_epoch = False
    r.batching_mode = api.BatchingModes[settings.batching.upper()]
    o.optimal_step_size_scaler = settings.step
    if settings.tv:
        o.total_variation.enabled, o.total_variation.weight = True, settings.tv
    if settings.decay < 1:
        o.optimization_plan.step_size_scheduler_class = "ExponentialLR"
        o.optimization_plan.step_size_scheduler_options = {"gamma": settings.decay}
    if isinstance(settings, RefiningSettings):
        probe, places = options.probe_options, options.probe_position_options
        probe.optimizable, places.optimizable = settings.free_probe, settings.free_positions
        places.step_size = settings.position_step
        probe.optimization_plan.start = places.optimization_plan.start = round(settings.free_from * settings.epochs)
    return options


def task_of(options: Any, scan: Scan, start: NDArray[np.complex64]) -> Any:
    """Return pty-chi's task for a scan.

    Parameters
    ----------
    options
        Options of one of pty-chi's reconstructors.
    scan
        Counts, probe, positions (x and y, pixels), mask and background.
    start : (rows, columns) complex64
        First object.

    Returns
    -------
    `ptychi.api.task.PtychographyTask`
    """
    import torch
    from ptychi.api.task import PtychographyTask

    n = scan.n_pixels
    return PtychographyTask(
        options,
        # Pty-chi's model has no background, so the background is subtracted from the counts, as its users do.
        diffraction_data=torch.from_numpy(scan.light(scan.counts)),
        object_data=torch.from_numpy(start[None]),
        # Pty-chi's FFT is not normalised and that of the study is orthonormal, which differ by a factor N in amplitude.
        probe_data=torch.from_numpy((scan.probe / n).reshape(1, 1, n, n)),
        probe_position_x_px=torch.from_numpy(scan.positions[:, 0].astype(np.float32)),
        probe_position_y_px=torch.from_numpy(scan.positions[:, 1].astype(np.float32)),
        valid_pixel_mask=torch.from_numpy(np.ones((n, n), bool) if scan.mask is None else scan.mask),
    )
