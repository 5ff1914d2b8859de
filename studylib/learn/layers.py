"""Layers of the physics-informed network, written in keras.ops: float32, any framework.

They compute the study's one forward model (`studylib.physics.forward`): windows at whole pixels, and for each member
of a group the probe, shifted by the fraction of its position. Patches are (batch, C, N, N). Offsets (batch, C, 2) are x
and y of each member's window in whole pixels, from any common origin; only their differences enter. Fractions
(batch, C, 2) are x and y of what rounding left, in pixels.

Where a member has M images they are interleaved by line, (batch, C, N, M, N): a product over rows and one over columns
then both read memory in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from studylib.physics.likelihood import poisson_loss

DARK = 0.02
"""Regulariser of the first estimate: fraction of the peak illumination added to the denominator."""
FAINT = 1e-12
"""The same for the mean that is illuminated again; there it only prevents division by zero."""

Tensor = Any


class Illuminated(keras.layers.Layer):
    """A float32 layer that knows the probe; it is saved with the network.

    Parameters
    ----------
    probe : (N, N) complex64, sqrt(photons)
        Or a nested list of (real, imaginary), as a saved network gives it.
    mask : (N, N) bool
        False where a pixel of the detector says nothing; None: nowhere.
    """

    def __init__(self, probe: np.ndarray | Sequence, mask: np.ndarray | Sequence | None = None, **kwargs) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        array = np.asarray(probe)
        pair = array if np.iscomplexobj(array) else array[..., 0] + 1j * array[..., 1]
        # Single precision first: a network and its saved copy then compute with the same numbers.
        self.probe = pair.astype(np.complex64).astype(np.complex128)
        self.n = self.probe.shape[0]
        self.peak = float(np.max(np.abs(self.probe) ** 2))
        self.seen = None if mask is None else np.asarray(mask, dtype=bool)
        self.mask = None if self.seen is None else tensor(self.seen)

    def get_config(self) -> dict:
        """Return what rebuilds the layer."""
        pairs = np.stack([self.probe.real, self.probe.imag], axis=-1).astype(np.float64)
        mask = None if self.seen is None else self.seen.tolist()
        return super().get_config() | {"probe": pairs.tolist(), "mask": mask}

    def where_seen(self, image: Tensor) -> Tensor:
        """Return an image (..., N, N) with 0 where a pixel says nothing."""
        return image if self.mask is None else image * self.mask


def tensor(array: np.ndarray) -> Tensor:
    """Return an array as a float32 tensor of the framework in use."""
    return ops.convert_to_tensor(np.ascontiguousarray(array, dtype=np.float32))


def centring(n: int) -> np.ndarray:
    """Return (-1)^(row + column): its product with a window has the centred spectrum, N even."""
    return (-1.0) ** np.add.outer(np.arange(n), np.arange(n))


def inverse(real: Tensor, imag: Tensor) -> tuple[Tensor, Tensor]:
    """Return N^2 times the inverse transform by the forward one: ifft2(z) = conj(fft2(conj(z))) / N^2."""
    real, imag = ops.fft2((real, -imag))
    return real, -imag


@keras.saving.register_keras_serializable("studylib")
class MovedProbes(Illuminated):
    """From the fractions of a group to its members' probes: a Fourier shift."""

    def __init__(self, probe, **kwargs) -> None:
        super().__init__(probe, **kwargs)
        spectrum = np.fft.fftshift(np.fft.fft2(self.probe))
        self.spectrum_real, self.spectrum_imag = tensor(spectrum.real), tensor(spectrum.imag)
        self.centring = tensor(centring(self.n) / self.n**2)
        self.frequency = tensor(2 * np.pi * (np.arange(self.n) - self.n // 2) / self.n)

    def call(self, fractions):
        """Return probes and ramps.

        Parameters
        ----------
        fractions : (batch, C, 2) float32
            x and y, pixels.

        Returns
        -------
        probe_real, probe_imag : (batch, C, N, N) float32
            In sqrt(photons), in the frame of each member's window.
        ramp_real, ramp_imag : (batch, C, N, N) float32
            The factor of the centred spectrum that shifts an image by the fraction.
        """
        # (batch, C, row) and (batch, C, column): the phase is their sum, negative for a shift to larger indices.
        along = ops.expand_dims(fractions, -1) * self.frequency
        angle = -(along[:, :, 1, :, None] + along[:, :, 0, None, :])
        ramp_real, ramp_imag = ops.cos(angle), ops.sin(angle)
        real, imag = inverse(
            self.spectrum_real * ramp_real - self.spectrum_imag * ramp_imag,
            self.spectrum_real * ramp_imag + self.spectrum_imag * ramp_real,
        )
        return real * self.centring, imag * self.centring, ramp_real, ramp_imag


@keras.saving.register_keras_serializable("studylib")
class Overlap(Illuminated):
    """From the offsets of a group to what relates its members' windows.

    A pixel of one window counts at one of another when they lie at the same place, for columns and for rows. Whether
    they do depends on the difference of their indices alone; with the samples in reverse order, on the sum of two
    indices, so that a line of 2 N - 1 numbers gives each N x N matrix (a Hankel matrix), N numbers from each place.
    """

    def call(self, offsets, probe_real, probe_imag):
        """Return the weights that `gather` takes, and the light that falls on each window.

        Parameters
        ----------
        offsets : (batch, C, 2) float32
            x and y of each member's window, whole pixels from any common origin.
        probe_real, probe_imag : (batch, C, N, N) float32
            Of `MovedProbes`.

        Returns
        -------
        weights : (2, C, batch, C, N, N) float32
            x, y; the window that is wanted; group; the member that is moved; its pixel, last one first;
            the window's pixel. 0 or 1.
        intensity : (batch, C, N, N) float32
            |P|^2 of each member; the brightest pixel of the probe at fraction 0 has 1.
        light : (batch, C, N, 1, N) float32
            The intensities of all members, each at its place.
        """
        n = self.n
        places = ops.transpose(offsets, (2, 1, 0))
        between = places[:, :, :, None] - ops.swapaxes(places, 1, 2)[:, None]
        distance = between[..., None] + ops.arange(1 - n, n, dtype="float32")
        weights = ops.extract_sequences(ops.relu(1.0 - ops.abs(distance)), n, 1)
        intensity = (ops.square(probe_real) + ops.square(probe_imag)) / self.peak
        return weights, intensity, gather(ops.expand_dims(intensity, 3), weights)


def gather(patches: Tensor, weights: Tensor) -> Tensor:
    """Return, for each member's window, the sum of all members' patches at their places.

    Parameters
    ----------
    patches : (batch, C, N, M, N) float32
        M images a member.
    weights
        Of `Overlap`.

    Returns
    -------
    (batch, C, N, M, N) float32
    """
    c, n, m = patches.shape[1:4]
    if c == 1:
        return patches
    lines = ops.reshape(ops.flip(patches, (2, 4)), (-1, c, n * m, n))
    sums = []
    for window in range(c):
        moved = ops.reshape(ops.matmul(lines, weights[0, window]), (-1, c * n, m * n))
        rows = ops.swapaxes(ops.reshape(weights[1, window], (-1, c * n, n)), 1, 2)
        sums.append(ops.reshape(ops.matmul(rows, moved), (-1, n, m, n)))
    return ops.stack(sums, axis=1)


@keras.saving.register_keras_serializable("studylib")
class FirstEstimate(Illuminated):
    """From the C measured patterns of a group to what one step from a flat object says of it.

    The measured moduli take the phase of the bare probe's far field and are propagated back to the exit wave psi;
    P* psi / max|P|^2 is the update of the object that ePIE would make. The network is given this, and its mean over the
    group, |P|^2 as weight, so that it need not learn the Fourier transform, and sees what its neighbours saw of the
    object they share. Amplitudes and probe are in one unit, whatever it is; a constant object of modulus 1 in that
    unit gives 1.

    References
    ----------
    Maiden, Rodenburg, An improved ptychographical phase retrieval algorithm for diffractive imaging,
    Ultramicroscopy 109, 1256 (2009), eq. 6.
    """

    def __init__(self, probe, **kwargs) -> None:
        super().__init__(probe, **kwargs)
        far = np.fft.fftshift(np.fft.fft2(self.probe))
        phase = far / (np.abs(far) + DARK * np.abs(far).max())
        self.phase_real, self.phase_imag = tensor(phase.real), tensor(phase.imag)
        self.centring = tensor(centring(self.n) / self.n / self.peak)

    def call(self, amplitudes, probe_real, probe_imag, ramp_real, ramp_imag, weights, light):
        """Return (batch, C, N, 5, N): own estimate, the group's mean (real, imaginary), its weight.

        Parameters
        ----------
        amplitudes : (batch, C, N, N) float32
            sqrt(counts), centred.
        probe_real, probe_imag, ramp_real, ramp_imag
            Of `MovedProbes` with the same probe.
        weights, light
            Of `Overlap`.
        """
        real, imag = inverse(
            amplitudes * (self.phase_real * ramp_real - self.phase_imag * ramp_imag),
            amplitudes * (self.phase_real * ramp_imag + self.phase_imag * ramp_real),
        )
        real, imag = real * self.centring, imag * self.centring
        own = ops.stack(
            [real * probe_real + imag * probe_imag, imag * probe_real - real * probe_imag],
            axis=3,
        )
        total = light + DARK
        return ops.concatenate([own, gather(own, weights) / total, total], axis=3)


@keras.saving.register_keras_serializable("studylib")
class Diffraction(Illuminated):
    """From the C object patches of a group to the C expected patterns, in photons.

    In each member's window the patches of all members are averaged at their places, |P|^2 as weight, then illuminated
    by the member's own probe and propagated: lambda = |fftshift(FFT2(P O))|^2, orthonormal, and the background, if
    there is one. Neighbours must therefore agree on the object they share, which is what a pattern alone cannot tell.

    References
    ----------
    Hoidn, Mishra, Mehta, Physics constrained unsupervised deep learning for rapid, high resolution
    scanning coherent diffraction reconstruction, Sci. Rep. 13, 22789 (2023).
    """

    def __init__(self, probe, background: np.ndarray | Sequence | None = None, **kwargs) -> None:
        super().__init__(probe, **kwargs)
        # The centring factor turns the centred spectrum out of the plain transform.
        self.centring = tensor(centring(self.n) / self.n)
        self.dark = None if background is None else tensor(np.asarray(background))
        self.background = None if background is None else np.asarray(background, np.float32).tolist()

    def get_config(self) -> dict:
        """Return what rebuilds the layer."""
        return super().get_config() | {"background": self.background}

    def call(self, amplitude, phase, probe_real, probe_imag, weights, intensity, light):
        """Return lambda (batch, C, N, N) from amplitude and phase (batch, C, N, N)."""
        real, imag = amplitude * ops.cos(phase), amplitude * ops.sin(phase)
        if amplitude.shape[1] > 1:
            weighted = ops.stack([intensity * real, intensity * imag], axis=3)
            mean = gather(weighted, weights) / (light + FAINT)
            real, imag = mean[:, :, :, 0], mean[:, :, :, 1]
        f_real, f_imag = ops.fft2(
            (
                self.centring * (real * probe_real - imag * probe_imag),
                self.centring * (real * probe_imag + imag * probe_real),
            )
        )
        light = ops.square(f_real) + ops.square(f_imag)
        return self.where_seen(light if self.dark is None else light + self.dark)


@keras.saving.register_keras_serializable("studylib")
def poisson_nll(counts, expected):
    """Return the Poisson loss of a batch, (batch,): the mean over the pixels of a group."""
    return ops.mean(poisson_loss(counts, expected, ops.log), axis=(-1, -2, -3))
