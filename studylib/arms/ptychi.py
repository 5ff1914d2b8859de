"""PtyChi: pty-chi's least-squares maximum likelihood (LSQML), a package of its own.

It is given what the other arms are given: the counts, the same probe, held fixed, the same positions, a flat object to
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
    batches: int = Field(9, ge=1)
    """Batches in an epoch. A fixed batch size would give small scans fewer steps in an epoch."""
    noise_model: Literal["poisson", "gaussian"] = "poisson"
    batching: Literal["random", "compact"] = "compact"
    momentum: float = Field(0.5, ge=0)
    """Momentum of the object; pty-chi uses it with compact batches only."""
    step: float = Field(0.9, gt=0)
    """Factor of the step that LSQML solves for."""
    decay: float = Field(1.0, gt=0, le=1)
    """Factor by which the object's step shrinks in every epoch."""
    tv: float = Field(0.3, ge=0)
    """Weight of pty-chi's total variation, applied once an epoch (two steps of Chambolle's iteration); 0 for none."""
    first_epochs: int = Field(0, ge=0)
    """Epochs of a first run whose image the others go on from; 0 for none."""
    first_batching: Literal["random", "compact"] = "random"
    """Batches of the first run: random ones bring coarse structure soon, compact ones converge further."""
    first_tv: float | None = Field(None, ge=0)
    """Weight of the total variation in the first run; None for that of the second."""


class RefiningSettings(PtyChiSettings):
    """Settings of LSQML that improves probe and positions along with the object."""

    free_probe: bool = True
    free_positions: bool = True
    position_step: float = Field(2.0, gt=0)
    """Factor of the step of the positions that pty-chi solves for, which it halves where the gradient is largest."""
    free_from: float = Field(0.3, ge=0, lt=1)
    """Share of the epochs of the last run that pass before probe and positions are set free: an object that is not
    there yet would draw them away."""


class PtyChi(Arm):
    """LSQML from a flat object."""

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
        """Reconstruct with LSQML; of compact batches the epoch with the least loss in the second half of a run counts.

        Raises
        ------
        StageError
            The object is not finite.
        """
        image = first_object(scan, next(iter((starts or {}).values()), None))
        loss: list[float] = []
        begin = time.perf_counter()
        with progress.bar(settings.first_epochs + settings.epochs, self.name, "epoch") as bar:
            for part in _schedule(settings):
                task = task_of(_options(part, seeds.iteration, len(scan.positions)), scan, image)
                least = np.inf
                for epoch in range(1, part.epochs + 1):
                    task.run(1)
                    loss.append(float(task.reconstructor.loss_tracker.table["loss"].iloc[-1]))
                    bar.update(1)
                    # Momentum sets in late, and with total variation it may lead away: what was better is kept. The
                    # first half does not count: a stronger prior than that of the run before raises the loss at first.
                    # Random batches have no momentum, and a smaller step in every epoch: their last one counts.
                    kept = 2 * epoch >= part.epochs and not loss[-1] > least
                    if kept if part.batching == "compact" else epoch == part.epochs:
                        least = loss[-1]
                        image = np.asarray(task.get_data_to_cpu("object", as_numpy=True))[0].astype(np.complex64)
        seconds = time.perf_counter() - begin
        if not np.isfinite(image).all():
            raise StageError(f"{self.name} diverged: its object holds NaN or infinity")
        return Reconstruction(image, np.array(loss), seconds, peak_memory_mib())

    def memory_mib(self, scan: Scan) -> float:
        """Return what pty-chi takes: all patterns at once, some 35 bytes a pixel of every pattern (measured)."""
        return 600 + 35 * len(scan.positions) * scan.n_pixels**2 / 2**20

    def candidates(self, best: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Return what users of pty-chi would try where photons are few, and where they are many."""
        if best is not None:
            return []
        compact: dict[str, Any] = {"batching": "compact", "batches": 9}
        random: dict[str, Any] = {"batching": "random", "tv": 1.0, "epochs": 40}
        return [
            compact | {"tv": 0.0, "epochs": 100},
            compact | {"tv": 0.0, "epochs": 100, "noise_model": "gaussian"},
            compact | {"tv": 0.03, "epochs": 100},
            compact | {"tv": 0.3, "epochs": 40},
            # Slow structure needs many epochs, noise a strong prior: first the one, then the other.
            compact | {"tv": 0.3, "epochs": 40, "first_epochs": 100, "first_batching": "compact", "first_tv": 0.03},
            random | {"batches": 9, "decay": 0.93},
            random | {"batches": 6, "decay": 0.97},
            compact | {"tv": 1.0, "first_epochs": 10, "epochs": 10},
        ]

    def expected(self, image: NDArray[np.complex64], scan: Scan) -> NDArray[np.float32]:
        """Return the patterns of pty-chi's own forward model."""
        options = _options(self.settings(), 0, len(scan.positions))
        return expected_of(task_of(options, scan, np.ascontiguousarray(image, np.complex64)), scan)


class PtyChiRefining(PtyChi):
    """LSQML that improves probe and positions along with the object, as its users do where these are not exact."""

    name: ClassVar = "PtyChi refining"
    key: ClassVar = "ptychi_refining"
    colour: ClassVar = "#117733"
    settings: ClassVar = RefiningSettings
    options_of: ClassVar = "ptychi"


class PtyChiFromPinn(PtyChi):
    """LSQML, started from PtychoPINN's image."""

    name: ClassVar = "PtyChi from PtychoPINN"
    key: ClassVar = "ptychi_pinn"
    colour: ClassVar = "#cc79a7"
    options_of: ClassVar = "ptychi"
    after: ClassVar = ("pinn",)


def expected_of(task: Any, scan: Scan) -> NDArray[np.float32]:
    """Return the patterns that a task expects of its object, (positions, N, N) float32, photons, centred."""
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
        Epochs for the object alone, and then for both.
    seed
        Of the batches.

    Returns
    -------
    (N, N) complex64, sqrt(photons), as bright as the probe that was given: the scale between probe and object is free

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
    """Return the runs that follow one another: one, or two where first epochs are asked for."""
    if not settings.first_epochs:
        return [settings]
    tv = settings.tv if settings.first_tv is None else settings.first_tv
    first = {"epochs": settings.first_epochs, "batching": settings.first_batching, "tv": tv, "first_epochs": 0}
    fixed = {"free_probe": False, "free_positions": False} if isinstance(settings, RefiningSettings) else {}
    return [settings.model_copy(update=first | fixed), settings]


def same_model(options: Any, epochs: int, batch: int, seed: int) -> None:
    """Set pty-chi's options to the study's forward model, probe and positions held fixed.

    Parameters
    ----------
    options
        Of any of its reconstructors; changed.
    epochs, batch, seed
        How many in all, patterns in a batch, and what its random numbers start from.
    """
    import torch
    from ptychi import api

    r, o = options.reconstructor_options, options.object_options
    r.num_epochs, r.batch_size, r.random_seed = epochs, max(1, batch), seed
    r.default_device = api.Devices.GPU if torch.cuda.is_available() else api.Devices.CPU
    # The probe is moved by a Fourier shift (BILINEAR would low-pass it).
    # pty-chi centres a window on (N - 1)/2, the study on N/2.
    o.patch_interpolation_method = api.PatchInterpolationMethods.FOURIER
    o.determine_position_origin_coords_by = api.ObjectPosOriginCoordsMethods.SPECIFIED
    o.position_origin_coords = np.full(2, -0.5)  # its code wants an array
    o.remove_object_probe_ambiguity.enabled = False  # it would make the probe brighter or darker
    options.probe_options.optimizable = options.probe_position_options.optimizable = False


def _options(settings: PtyChiSettings, seed: int, n_positions: int):
    ready_torchvision()
    from ptychi import api

    options: Any = api.LSQMLOptions()
    same_model(options, settings.epochs, -(-n_positions // settings.batches), seed)
    r, o = options.reconstructor_options, options.object_options
    r.noise_model = api.NoiseModels[settings.noise_model.upper()]
    r.momentum_acceleration_gain = settings.momentum if settings.batching == "compact" else 0.0
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
        Of one of its reconstructors.
    scan
    start : (rows, columns) complex64
        First object.
    """
    import torch
    from ptychi.api.task import PtychographyTask

    n = scan.n_pixels
    return PtychographyTask(
        options,
        # It has no background in its model: what is left of the counts, as its users give them.
        diffraction_data=torch.from_numpy(scan.light(scan.counts)),
        object_data=torch.from_numpy(start[None]),
        # Its FFT is not normalised, the study's is orthonormal: N times the amplitude.
        probe_data=torch.from_numpy((scan.probe / n).reshape(1, 1, n, n)),
        probe_position_x_px=torch.from_numpy(scan.positions[:, 0].astype(np.float32)),
        probe_position_y_px=torch.from_numpy(scan.positions[:, 1].astype(np.float32)),
        valid_pixel_mask=torch.from_numpy(np.ones((n, n), bool) if scan.mask is None else scan.mask),
    )
