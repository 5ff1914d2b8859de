"""Physics layers of PtychoPINN, written in keras.ops: float32, on any framework.

They compute the forward model of the study (`studylib.physics.forward`): windows at whole pixels and, for each member
of a group, the probe shifted by the fraction of its position. Patches are (batch, C, N, N). Offsets (batch, C, 2) are x
and y of each member's window in whole pixels, from any common origin; only their differences matter. Fractions
(batch, C, 2) are x and y of the remainders after rounding, in pixels.

Where a member has M images they are interleaved by line, (batch, C, N, M, N). A product over rows and one over columns
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
"""The same for the mean object that is illuminated again; it only prevents division by zero."""

Tensor = Any


class Illuminated(keras.layers.Layer):
    """A float32 layer that knows the probe and is saved with the network.

    Parameters
    ----------
    probe : (N, N) complex64
        In sqrt(photons), or in the gauge of a network. Or a nested list of (real, imaginary), as a saved network gives
        it.
    mask : (N, N) bool
        False at the detector pixels that are not used; None where all are used.
    """

    def __init__(self, probe: np.ndarray | Sequence, mask: np.ndarray | Sequence | None = None, **kwargs: Any) -> None:
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
        """Return the configuration from which Keras rebuilds the layer."""
        pairs = np.stack([self.probe.real, self.probe.imag], axis=-1).astype(np.float64)
        mask = None if self.seen is None else self.seen.tolist()
        return super().get_config() | {"probe": pairs.tolist(), "mask": mask}

    def where_seen(self, image: Tensor) -> Tensor:
        """Return an image with 0 at the detector pixels that are not used.

        Parameters
        ----------
        image : (..., N, N) float32

        Returns
        -------
        (..., N, N) float32
        """
        return image if self.mask is None else image * self.mask


def tensor(array: np.ndarray) -> Tensor:
    """Return an array as a float32 tensor of the framework in use.

    Parameters
    ----------
    array : (...) real or bool

    Returns
    -------
    (...) float32
    """
    return ops.convert_to_tensor(np.ascontiguousarray(array, dtype=np.float32))


def centring(n: int) -> np.ndarray:
    """Return (-1)^(row + column): a window times this factor has the centred spectrum.

    Parameters
    ----------
    n
        N, the side of a window, pixels, even.

    Returns
    -------
    (N, N) float64
    """
    return (-1.0) ** np.add.outer(np.arange(n), np.arange(n))


def inverse(real: Tensor, imag: Tensor) -> tuple[Tensor, Tensor]:
    """Return N^2 times the inverse FFT, computed by the forward one: ifft2(z) = conj(fft2(conj(z))) / N^2.

    Parameters
    ----------
    real, imag : (..., N, N) float32
        Real and imaginary part of z.

    Returns
    -------
    real, imag : (..., N, N) float32
        Real and imaginary part of N^2 ifft2(z).
    """
    real, imag = ops.fft2((real, -imag))
    return real, -imag


@keras.saving.register_keras_serializable("studylib")
class MovedProbes(Illuminated):
    """From the fractions of a group to the probes of its members, by a Fourier shift."""

    def __init__(self, probe: np.ndarray | Sequence, **kwargs: Any) -> None:
        super().__init__(probe, **kwargs)
        spectrum = np.fft.fftshift(np.fft.fft2(self.probe))
        self.spectrum_real, self.spectrum_imag = tensor(spectrum.real), tensor(spectrum.imag)
        # The factor undoes the centring of the spectrum and the N^2 of `inverse`.
        self.centring = tensor(centring(self.n) / self.n**2)
        self.frequency = tensor(2 * np.pi * (np.arange(self.n) - self.n // 2) / self.n)

    def call(self, fractions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the shifted probes and the factors that shift a spectrum.

        Parameters
        ----------
        fractions : (batch, C, 2) float32
            x and y of the remainders after rounding, pixels.

        Returns
        -------
        probe_real, probe_imag : (batch, C, N, N) float32
            Shifted probe in the frame of each member's window, in the unit of the probe.
        ramp_real, ramp_imag : (batch, C, N, N) float32
            Factor of the centred spectrum that shifts an image by the fraction.
        """
        # (batch, C, x or y, frequency). The phase is the sum over x and y, negative for a shift to larger indices.
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
    """From the offsets of a group to the weights that relate the windows of its members.

    A pixel of one window belongs to a pixel of another window when both lie at the same place, for columns and for rows
    separately. This depends only on the difference of their indices. With one set of samples in reverse order it
    depends on the sum of the two indices, so that a line of 2 N - 1 numbers gives each N x N matrix (a Hankel matrix):
    row i holds the N numbers from place i on.
    """

    def call(self, offsets: Tensor, probe_real: Tensor, probe_imag: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the weights for `gather`, and the light that falls on each window.

        Parameters
        ----------
        offsets : (batch, C, 2) float32
            x and y of each member's window, whole pixels from any common origin.
        probe_real, probe_imag : (batch, C, N, N) float32
            As returned by `MovedProbes`.

        Returns
        -------
        weights : (2, C, batch, C, N, N) float32
            0 or 1. Axes: x or y; the window that is wanted; group; the member that is moved; its pixel, last one first;
            the pixel of the window.
        intensity : (batch, C, N, N) float32
            |P|^2 of each member, in units of the brightest pixel of the probe at fraction 0.
        light : (batch, C, N, 1, N) float32
            Sum of the intensities of all members, each at its place.
        """
        n = self.n
        # (x or y, member, group)
        places = ops.transpose(offsets, (2, 1, 0))
        # (x or y, window, group, member): where the wanted window lies relative to each member's window
        between = places[:, :, :, None] - ops.swapaxes(places, 1, 2)[:, None]
        # (x or y, window, group, member, 2 N - 1): 0 where two pixels are at the same place
        distance = between[..., None] + ops.arange(1 - n, n, dtype="float32")
        weights = ops.extract_sequences(ops.relu(1.0 - ops.abs(distance)), n, 1)
        intensity = (ops.square(probe_real) + ops.square(probe_imag)) / self.peak
        return weights, intensity, gather(ops.expand_dims(intensity, 3), weights)


def gather(patches: Tensor, weights: Tensor) -> Tensor:
    """Return, for each member's window, the sum of the patches of all members at their places.

    Parameters
    ----------
    patches : (batch, C, N, M, N) float32
        M images per member.
    weights : (2, C, batch, C, N, N) float32
        As returned by `Overlap`.

    Returns
    -------
    (batch, C, N, M, N) float32
    """
    c, n, m = patches.shape[1:4]
    if c == 1:
        return patches
    # (group, member, row and image, column), rows and columns in reverse order as in the weights
    lines = ops.reshape(ops.flip(patches, (2, 4)), (-1, c, n * m, n))
    sums = []
    for window in range(c):
        # Columns first: (group, member and row, image and column of the window).
        moved = ops.reshape(ops.matmul(lines, weights[0, window]), (-1, c * n, m * n))
        # (group, row of the window, member and row); the product below sums over members too.
        rows = ops.swapaxes(ops.reshape(weights[1, window], (-1, c * n, n)), 1, 2)
        sums.append(ops.reshape(ops.matmul(rows, moved), (-1, n, m, n)))
    # (group, window, row, image, column)
    return ops.stack(sums, axis=1)


@keras.saving.register_keras_serializable("studylib")
class FirstEstimate(Illuminated):
    """From the C measured patterns of a group to what one step from a flat object tells about the object.

    The measured moduli take the phase of the far field of the probe alone, and are propagated back to the exit wave
    psi. P* psi / max|P|^2 is then the update of the object that ePIE would make. The network is given this estimate and
    its mean over the group, weighted by |P|^2. So it need not learn the Fourier transform, and it sees what the
    neighbours recorded of the object that they share. Amplitudes and probe have the same unit, whatever it is; a
    constant object of modulus 1 in that unit gives 1.

    References
    ----------
    Maiden, Rodenburg, An improved ptychographical phase retrieval algorithm for diffractive imaging,
    Ultramicroscopy 109, 1256 (2009), eq. 6.
    """

    def __init__(self, probe: np.ndarray | Sequence, **kwargs: Any) -> None:
        super().__init__(probe, **kwargs)
        far = np.fft.fftshift(np.fft.fft2(self.probe))
        # The regulariser takes the phase factor towards 0 where the far field is too weak to have a reliable phase.
        phase = far / (np.abs(far) + DARK * np.abs(far).max())
        self.phase_real, self.phase_imag = tensor(phase.real), tensor(phase.imag)
        # 1 / N makes the FFT of `inverse` orthonormal; 1 / max|P|^2 is the step of ePIE.
        self.centring = tensor(centring(self.n) / self.n / self.peak)

    def call(
        self,
        amplitudes: Tensor,
        probe_real: Tensor,
        probe_imag: Tensor,
        ramp_real: Tensor,
        ramp_imag: Tensor,
        weights: Tensor,
        light: Tensor,
    ) -> Tensor:
        """Return the estimate of each member, its mean over the group, and the weight of the mean.

        Parameters
        ----------
        amplitudes : (batch, C, N, N) float32
            sqrt(counts), zero frequency in the centre, in the unit of the probe.
        probe_real, probe_imag, ramp_real, ramp_imag : (batch, C, N, N) float32
            As returned by `MovedProbes` with the same probe.
        weights, light
            As returned by `Overlap`.

        Returns
        -------
        (batch, C, N, 5, N) float32
            Five images: estimate of the member (real, imaginary), mean over the group (real, imaginary), weight of the
            mean.
        """
        real, imag = inverse(
            amplitudes * (self.phase_real * ramp_real - self.phase_imag * ramp_imag),
            amplitudes * (self.phase_real * ramp_imag + self.phase_imag * ramp_real),
        )
        real, imag = real * self.centring, imag * self.centring
        # P* psi: (group, member, row, real or imaginary, column)
        own = ops.stack(
            [real * probe_real + imag * probe_imag, imag * probe_real - real * probe_imag],
            axis=3,
        )
        total = light + DARK
        return ops.concatenate([own, gather(own, weights) / total, total], axis=3)


@keras.saving.register_keras_serializable("studylib")
class Diffraction(Illuminated):
    """From the C object patches of a group to the C expected patterns, in photons.

    In the window of each member the patches of all members are averaged at their places, weighted by |P|^2. The
    member's own probe then illuminates this mean, and the exit wave is propagated: lambda = |fftshift(FFT2(P O))|^2,
    orthonormal, plus the background where there is one. Neighbours must therefore agree on the object that they share,
    which a single pattern cannot tell.

    Parameters
    ----------
    probe, mask
        See `Illuminated`; the probe is in sqrt(photons).
    background : (N, N) float32
        Counts per pattern that are expected without the probe; None where there are none.

    References
    ----------
    Hoidn, Mishra, Mehta, Physics constrained unsupervised deep learning for rapid, high resolution
    scanning coherent diffraction reconstruction, Sci. Rep. 13, 22789 (2023).
    """

    def __init__(
        self, probe: np.ndarray | Sequence, background: np.ndarray | Sequence | None = None, **kwargs: Any
    ) -> None:
        super().__init__(probe, **kwargs)
        # With this factor the plain FFT gives the centred spectrum, orthonormal.
        self.centring = tensor(centring(self.n) / self.n)
        self.dark = None if background is None else tensor(np.asarray(background))
        self.background = None if background is None else np.asarray(background, np.float32).tolist()

    def get_config(self) -> dict:
        """Return the configuration from which Keras rebuilds the layer."""
        return super().get_config() | {"background": self.background}

    def call(
        self,
        amplitude: Tensor,
        phase: Tensor,
        probe_real: Tensor,
        probe_imag: Tensor,
        weights: Tensor,
        intensity: Tensor,
        light: Tensor,
    ) -> Tensor:
        """Return the expected patterns lambda of a group.

        Parameters
        ----------
        amplitude, phase : (batch, C, N, N) float32
            Object patches; phase in rad.
        probe_real, probe_imag : (batch, C, N, N) float32
            As returned by `MovedProbes`.
        weights, intensity, light
            As returned by `Overlap`.

        Returns
        -------
        (batch, C, N, N) float32
            Photons, zero frequency in the centre; 0 at masked pixels.
        """
        real, imag = amplitude * ops.cos(phase), amplitude * ops.sin(phase)
        if amplitude.shape[1] > 1:
            # (group, member, row, real or imaginary, column)
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
def poisson_nll(counts: Tensor, expected: Tensor) -> Tensor:
    """Return the Poisson loss of a batch: for each group the mean over its members and pixels.

    Parameters
    ----------
    counts, expected : (batch, C, N, N) float32
        Measured and expected counts, photons.

    Returns
    -------
    (batch,) float32
        Loss, nats per pixel.
    """
    return ops.mean(poisson_loss(counts, expected, ops.log), axis=(-1, -2, -3))
