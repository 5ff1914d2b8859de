"""Building blocks of the networks: convolutions on a sixteenth of the pixels, and the gauge of the object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from torch.nn import functional

STEM = 4
"""Side of the square of pixels that the stem turns into channels."""
LEAST_MODULUS = 0.01
"""Least modulus of an object to start from, in the network's gauge: softplus reaches 0 only at minus infinity."""


@keras.saving.register_keras_serializable("studylib")
class SpaceToDepth(layers.Layer):
    """The stem, (N, c, N) to (N/4, N/4, 16 c): every convolution then runs on a sixteenth of the pixels."""

    def call(self, x: Any) -> Any:
        """Return squares of 4 x 4 pixels as channels.

        Parameters
        ----------
        x : (batch, N, c, N)
            c images, interleaved by line.

        Returns
        -------
        (batch, N/4, N/4, 16 c)
        """
        n, c = x.shape[1:3]
        # (batch, square's row, row within, image, square's column, column within)
        x = ops.reshape(x, (-1, n // STEM, STEM, c, n // STEM, STEM))
        return ops.reshape(ops.transpose(x, (0, 1, 4, 2, 3, 5)), (-1, n // STEM, n // STEM, STEM**2 * c))


@keras.saving.register_keras_serializable("studylib")
class DepthToSpace(layers.Layer):
    """The inverse of the stem for one image, (n, n, 16) to (4n, 4n)."""

    def call(self, x: Any) -> Any:
        """Return 16 channels as squares of 4 x 4 pixels.

        Parameters
        ----------
        x : (batch, n, n, 16)

        Returns
        -------
        (batch, 4n, 4n)
        """
        n = x.shape[1]
        # (batch, square's row, square's column, row within, column within)
        x = ops.reshape(x, (-1, n, n, STEM, STEM))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4)), (-1, n * STEM, n * STEM))


@keras.saving.register_keras_serializable("studylib")
class ObjectGauge(layers.Layer):
    """The last layer: from two maps to amplitude and phase of the object, in float32.

    Probe and object share one scale. The network works in a gauge in which the best constant object is 1, and this
    layer multiplies by the modulus of that object, so that no object is out of range. The amplitude is a softplus,
    unbounded above. The phase is linear, so that it has no edge at pi. Where there is an object to start from, the
    layer adds the maps to it, and maps of 0 leave it as it is.

    Parameters
    ----------
    gauge
        Modulus of the best constant object, sqrt(mean counts per pattern / sum |P|^2).
    """

    def __init__(self, gauge: float, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.gauge = float(gauge)

    def call(self, amplitude: Any, phase: Any, start: Sequence[Any] | None = None) -> tuple[Any, Any]:
        """Return amplitude and phase of the object.

        Parameters
        ----------
        amplitude, phase : (..., N, N) float32
            Two maps.
        start : two (..., N, N) float32
            Real and imaginary part of the object to start from, in the network's gauge; None where there is none.

        Returns
        -------
        amplitude, phase : (..., N, N) float32
            Amplitude in the unit of `gauge`, and phase, rad.
        """
        if start is not None:
            real, imag = start
            modulus = ops.sqrt(ops.square(real) + ops.square(imag) + LEAST_MODULUS**2)
            # The last two terms are the inverse of softplus: where the map is 0, softplus gives the modulus back.
            amplitude = amplitude + modulus + ops.log(-ops.expm1(-modulus))
            return self.gauge * ops.softplus(amplitude), np.pi * phase + ops.arctan2(imag, real)
        return self.gauge * ops.softplus(amplitude), np.pi * phase

    def get_config(self) -> dict:
        """Return the configuration from which Keras rebuilds the layer."""
        return super().get_config() | {"gauge": self.gauge}


def _on_torch() -> bool:
    """Return whether Keras runs on torch."""
    return keras.config.backend() == "torch"


@keras.saving.register_keras_serializable("studylib")
class Convolution(layers.Conv2D):
    """A convolution of 3 x 3 pixels that keeps the size; it is the same on every framework.

    On torch, Keras copies a channels-last image to another order and back, and adds the bias in a pass of its own.
    torch itself does both within the convolution. For the same reason pooling and resizing call torch directly
    (`make bench`).
    """

    def __init__(self, filters: int, **kwargs: Any) -> None:
        given = {"kernel_size": 3, "padding": "same", "data_format": "channels_last"}
        super().__init__(filters, **(kwargs | given))

    def call(self, x: Any) -> Any:
        """Return the convolved images.

        Parameters
        ----------
        x : (batch, N, N, c)

        Returns
        -------
        (batch, N, N, filters)
        """
        if not _on_torch():
            return super().call(x)
        # Keras keeps (row, column, channel in, channel out), torch wants (channel out, channel in, row, column).
        kernel = self.kernel.value.permute(3, 2, 0, 1)
        # The permuted view is what torch calls channels-last memory, so that nothing is copied.
        image = functional.conv2d(x.permute(0, 3, 1, 2), kernel, self.bias.value, padding=1)
        return self.activation(image.permute(0, 2, 3, 1))


@keras.saving.register_keras_serializable("studylib")
class HalfSize(layers.Layer):
    """The largest value of every 2 x 2 pixels."""

    def call(self, x: Any) -> Any:
        """Return the images at half the size.

        Parameters
        ----------
        x : (batch, N, N, c)

        Returns
        -------
        (batch, N/2, N/2, c)
        """
        if not _on_torch():
            return ops.max_pool(x, 2, data_format="channels_last")
        return functional.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


@keras.saving.register_keras_serializable("studylib")
class DoubleSize(layers.Layer):
    """Every pixel becomes 2 x 2 equal pixels."""

    def call(self, x: Any) -> Any:
        """Return the images at twice the size.

        Parameters
        ----------
        x : (batch, N, N, c)

        Returns
        -------
        (batch, 2N, 2N, c)
        """
        if not _on_torch():
            size = 2 * x.shape[1], 2 * x.shape[2]
            return ops.image.resize(x, size, interpolation="nearest", data_format="channels_last")
        return functional.interpolate(x.permute(0, 3, 1, 2), scale_factor=2).permute(0, 2, 3, 1)
