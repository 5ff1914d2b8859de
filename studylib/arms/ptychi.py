"""The iterative arm: pty-chi's least-squares maximum likelihood (LSQML), or its rPIE.

Fair by construction: the patterns of the networks, in counts; the same probe, held fixed; the same
positions; a flat object to start from; a seed.

References
----------
Odstrcil, Menzel, Guizar-Sicairos, Iterative least-squares solver for generalized maximum-likelihood
ptychography, Opt. Express 26, 3108 (2018).
Maiden, Johnson, Li, Further improvements to the ptychographical iterative engine, Optica 4, 736 (2017).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studylib import progress
from studylib.arms.torchvision_shim import ready_torchvision
from studylib.design import IterationSettings
from studylib.errors import StageError
from studylib.reconstruction import Reconstruction, peak_memory_mib
from studylib.scan import Scan


def iterate(
    scan: Scan,
    settings: IterationSettings,
    seed: int,
    algorithm: str = "LSQML",
    start: NDArray[np.complex64] | None = None,
) -> Reconstruction:
    """Reconstruct the object with one of pty-chi's engines.

    Parameters
    ----------
    scan
        Patterns, probe and positions; no truth.
    settings
        Epochs, batches, noise model and momentum (LSQML), alpha and step (rPIE).
    seed
        Of the order of the batches.
    algorithm
        LSQML or rPIE.
    start : (rows, columns) complex64
        First object; flat when None.

    Raises
    ------
    StageError
        The result is not finite.
    """
    ready_torchvision()
    first = np.ones(scan.shape, dtype=np.complex64) if start is None else np.where(start == 0, 1, start)
    task = _task(_options(settings, algorithm, seed), scan, first.astype(np.complex64))
    loss = []
    begin = time.perf_counter()
    with progress.bar(settings.epochs, algorithm, "epoch") as bar:
        for _ in range(settings.epochs):
            task.run(1)
            loss.append(float(task.reconstructor.loss_tracker.table["loss"].iloc[-1]))
            bar.update(1)
    seconds = time.perf_counter() - begin
    image = np.asarray(task.get_data_to_cpu("object", as_numpy=True))[0].astype(np.complex64)
    if not np.isfinite(image).all():
        raise StageError(f"{algorithm} diverged: its object holds NaN or infinity")
    return Reconstruction(image, np.array(loss), seconds, peak_memory_mib())


def _options(settings: IterationSettings, algorithm: str, seed: int):
    import torch
    from ptychi import api

    options: Any
    if algorithm == "LSQML":
        options = api.LSQMLOptions()
        options.reconstructor_options.noise_model = api.NoiseModels[settings.noise_model.upper()]
        options.reconstructor_options.momentum_acceleration_gain = settings.momentum
        options.reconstructor_options.rescale_probe_intensity_in_first_epoch = False
    else:
        options = api.RPIEOptions()
        options.object_options.alpha = settings.alpha
        options.object_options.step_size = settings.step
    r = options.reconstructor_options
    r.num_epochs, r.batch_size, r.random_seed = settings.epochs, settings.batch_size, seed
    r.batching_mode = api.BatchingModes[settings.batching.upper()]
    r.default_device = api.Devices.GPU if torch.cuda.is_available() else api.Devices.CPU
    o = options.object_options
    # The study's forward model: the probe is moved by a Fourier shift (BILINEAR would low-pass it).
    # pty-chi centres a window on (N - 1)/2, the study on N/2.
    o.patch_interpolation_method = api.PatchInterpolationMethods.FOURIER
    o.determine_position_origin_coords_by = api.ObjectPosOriginCoordsMethods.SPECIFIED
    o.position_origin_coords = np.full(2, -0.5)  # its code wants an array
    o.remove_object_probe_ambiguity.enabled = False
    options.probe_options.optimizable = False
    options.probe_position_options.optimizable = False
    return options


def _task(options, scan: Scan, start: NDArray[np.complex64]):
    import torch
    from ptychi.api.task import PtychographyTask

    n = scan.n_pixels
    return PtychographyTask(
        options,
        diffraction_data=torch.from_numpy(scan.counts),
        object_data=torch.from_numpy(start[None]),
        # Its FFT is not normalised, the study's is orthonormal: N times the amplitude.
        probe_data=torch.from_numpy((scan.probe / n).reshape(1, 1, n, n)),
        probe_position_x_px=torch.from_numpy(scan.positions[:, 0].astype(np.float32)),
        probe_position_y_px=torch.from_numpy(scan.positions[:, 1].astype(np.float32)),
    )
