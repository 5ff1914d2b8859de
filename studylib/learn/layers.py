"""Layers of the physics-informed network, written in keras.ops: float32, any framework.

Patches are (batch, C, N, N) pairs of real and imaginary part; offsets (batch, C, 2) are x and y in
pixels relative to the group's mean.
"""

from __future__ import annotations

import keras
from keras import ops

BACKGROUND = 0.05
"""Photons a pixel that the likelihood adds to both sides."""

Pair = tuple[keras.KerasTensor, keras.KerasTensor]


def shift_matrix(offset: keras.KerasTensor, n_pixels: int, margin: int) -> keras.KerasTensor:
    """Return the matrices that put N samples on a canvas of N + 2 margin, shifted by the offset.

    Bilinear: row m takes sample n with weight max(0, 1 - |m - n - margin - offset|). The transpose
    takes the samples back, so placement and extraction are adjoint.

    Parameters
    ----------
    offset : (...,) float32, pixels

    Returns
    -------
    (..., N + 2 margin, N) float32
    """
    canvas = ops.arange(n_pixels + 2 * margin, dtype="float32")
    window = ops.arange(n_pixels, dtype="float32") + margin
    distance = canvas[:, None] - window[None, :] - offset[..., None, None]
    return ops.maximum(0.0, 1.0 - ops.abs(distance))


def place(patch: keras.KerasTensor, rows: keras.KerasTensor, columns: keras.KerasTensor):
    """Put patches on the canvas: R_y patch R_x^T."""
    return ops.matmul(ops.matmul(rows, patch), ops.swapaxes(columns, -1, -2))


def extract(canvas: keras.KerasTensor, rows: keras.KerasTensor, columns: keras.KerasTensor):
    """Take patches from the canvas: the adjoint of `place`."""
    return ops.matmul(ops.matmul(ops.swapaxes(rows, -1, -2), canvas), columns)


@keras.saving.register_keras_serializable("studylib")
class Diffraction(keras.layers.Layer):
    """From the C object patches of a group to the C expected patterns, in photons.

    The patches are placed on one canvas at their offsets, averaged with the illumination |P|^2 as
    weight where they overlap, taken out again, illuminated and propagated:
    lambda = |fftshift(FFT2(P O))|^2, orthonormal. Neighbours must therefore agree on the object they
    share, which is what a pattern alone cannot tell.

    Parameters
    ----------
    probe_real, probe_imag
        (N, N) nested lists or arrays, sqrt(photons).
    margin
        Canvas pixels beyond the window on each side; at least the largest offset plus one.

    References
    ----------
    Hoidn, Mishra, Mehta, Physics constrained unsupervised deep learning for rapid, high resolution
    scanning coherent diffraction reconstruction, Sci. Rep. 13, 22789 (2023).
    """

    def __init__(self, probe_real, probe_imag, margin: int, **kwargs) -> None:
        super().__init__(dtype="float32", trainable=False, **kwargs)
        self.probe_real = ops.convert_to_tensor(probe_real, dtype="float32")
        self.probe_imag = ops.convert_to_tensor(probe_imag, dtype="float32")
        self.margin = margin

    def call(self, amplitude, phase, offsets):
        """Return lambda (batch, C, N, N) from amplitude and phase (batch, C, N, N)."""
        n = self.probe_real.shape[0]
        real, imag = amplitude * ops.cos(phase), amplitude * ops.sin(phase)
        columns = shift_matrix(offsets[..., 0], n, self.margin)
        rows = shift_matrix(offsets[..., 1], n, self.margin)
        if amplitude.shape[1] > 1:
            real, imag = self._agree(real, imag, rows, columns)
        wave_real = real * self.probe_real - imag * self.probe_imag
        wave_imag = real * self.probe_imag + imag * self.probe_real
        f_real, f_imag = ops.fft2((wave_real, wave_imag))
        intensity = (ops.square(f_real) + ops.square(f_imag)) / n**2
        return ops.roll(intensity, (n // 2, n // 2), axis=(2, 3))

    def _agree(self, real, imag, rows, columns) -> Pair:
        weight = ops.square(self.probe_real) + ops.square(self.probe_imag)
        weight = weight / ops.max(weight) + 1e-3
        total = ops.sum(place(weight, rows, columns), axis=1, keepdims=True) + 1e-6
        mean = [ops.sum(place(weight * part, rows, columns), axis=1, keepdims=True) / total for part in (real, imag)]
        return extract(mean[0], rows, columns), extract(mean[1], rows, columns)


@keras.saving.register_keras_serializable("studylib")
def poisson_nll(counts, expected):
    """Return the Poisson negative log-likelihood up to a constant, mean over pixels.

    lambda - (n + b) log(lambda + b) with the background b: where the model expects no light the
    gradient of the plain likelihood, 1 - n / lambda, has no bound, and a few stray photons outweigh
    the whole bright field. Its minimum is at lambda = n with any b.
    """
    return ops.mean(expected - (counts + BACKGROUND) * ops.log(expected + BACKGROUND), axis=(-1, -2, -3))
