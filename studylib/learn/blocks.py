"""What the networks are built of: convolutions at a sixteenth of the pixels, and the gauge of the object."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops
from torch.nn import functional

STEM = 4
LEAST_MODULUS = 0.01
"""Of an object to start from, in the same gauge: softplus reaches 0 at minus infinity only."""


@keras.saving.register_keras_serializable("studylib")
class SpaceToDepth(layers.Layer):
    """(N, c, N) to (N/4, N/4, 16 c): every convolution then runs at a sixteenth of the pixels."""

    def call(self, x):
        """Return (batch, N/4, N/4, 16 c) from (batch, N, c, N), c images interleaved by line."""
        n, c = x.shape[1:3]
        x = ops.reshape(x, (-1, n // STEM, STEM, c, n // STEM, STEM))
        return ops.reshape(ops.transpose(x, (0, 1, 4, 2, 3, 5)), (-1, n // STEM, n // STEM, STEM**2 * c))


@keras.saving.register_keras_serializable("studylib")
class DepthToSpace(layers.Layer):
    """(n, n, 16) to (4n, 4n): the inverse of the stem."""

    def call(self, x):
        """Return (batch, 4n, 4n) from (batch, n, n, 16)."""
        n = x.shape[1]
        x = ops.reshape(x, (-1, n, n, STEM, STEM))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4)), (-1, n * STEM, n * STEM))


@keras.saving.register_keras_serializable("studylib")
class ObjectGauge(layers.Layer):
    """From two maps to amplitude and phase of the object, in float32.

    Probe and object share one scale. The network works in a gauge in which the best constant object is 1, and this
    layer multiplies by that object's modulus: no object is out of range. The amplitude is a softplus, unbounded above;
    the phase is linear, so that it has no edge at pi. Given an object to start from, it adds the maps to that one's:
    maps of 0 leave the start as it is.

    Parameters
    ----------
    gauge
        Modulus of the best constant object, sqrt(mean counts per pattern / sum |P|^2).
    """

    def __init__(self, gauge: float, **kwargs) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.gauge = float(gauge)

    def call(self, amplitude, phase, start=None):
        """Return amplitude and phase, rad.

        Parameters
        ----------
        amplitude, phase : (..., N, N) float32
            Two maps.
        start
            Real and imaginary part (..., N, N) of the object to start from, in the network's gauge.
        """
        if start is not None:
            real, imag = start
            modulus = ops.sqrt(ops.square(real) + ops.square(imag) + LEAST_MODULUS**2)
            amplitude = amplitude + modulus + ops.log(-ops.expm1(-modulus))  # softplus of that is the modulus
            return self.gauge * ops.softplus(amplitude), np.pi * phase + ops.arctan2(imag, real)
        return self.gauge * ops.softplus(amplitude), np.pi * phase

    def get_config(self) -> dict:
        """Return what rebuilds the layer."""
        return super().get_config() | {"gauge": self.gauge}


def _on_torch() -> bool:
    return keras.config.backend() == "torch"


@keras.saving.register_keras_serializable("studylib")
class Convolution(layers.Conv2D):
    """3 x 3, the size kept; the same on every framework.

    On torch, Keras copies a channels-last image to another order and back, and adds the bias in a
    pass of its own; torch does both within the convolution, and so do pooling and resizing (`make bench`).
    """

    def __init__(self, filters: int, **kwargs) -> None:
        given = {"kernel_size": 3, "padding": "same", "data_format": "channels_last"}
        super().__init__(filters, **(kwargs | given))

    def call(self, x):
        """Return (batch, N, N, filters) from (batch, N, N, c)."""
        if not _on_torch():
            return super().call(x)
        kernel = self.kernel.value.permute(3, 2, 0, 1)
        image = functional.conv2d(x.permute(0, 3, 1, 2), kernel, self.bias.value, padding=1)
        return self.activation(image.permute(0, 2, 3, 1))


@keras.saving.register_keras_serializable("studylib")
class HalfSize(layers.Layer):
    """The largest of every 2 x 2 pixels."""

    def call(self, x):
        """Return (batch, N/2, N/2, c) from (batch, N, N, c)."""
        if not _on_torch():
            return ops.max_pool(x, 2, data_format="channels_last")
        return functional.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


@keras.saving.register_keras_serializable("studylib")
class DoubleSize(layers.Layer):
    """Every pixel four times."""

    def call(self, x):
        """Return (batch, 2N, 2N, c) from (batch, N, N, c)."""
        if not _on_torch():
            size = 2 * x.shape[1], 2 * x.shape[2]
            return ops.image.resize(x, size, interpolation="nearest", data_format="channels_last")
        return functional.interpolate(x.permute(0, 3, 1, 2), scale_factor=2).permute(0, 2, 3, 1)
