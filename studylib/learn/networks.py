"""The trunk both networks share, and the two training models built on it."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from studylib.learn.layers import Diffraction

STEM = 4
HEAD_GAIN = 0.05
"""Of the heads' first weights. The first object is then flat: a rough one scatters light to where no
photon was counted, and the network spends its steps on leaving that plateau (docs/results.md)."""
FIRST_AMPLITUDE = 1.1
"""Logit of the first amplitude: 1.2 sigmoid(1.1) = 0.9, a weakly absorbing object."""


@keras.saving.register_keras_serializable("studylib")
class SpaceToDepth(layers.Layer):
    """(N, N, c) to (N/4, N/4, 16 c): every convolution then runs at a sixteenth of the pixels."""

    def call(self, x):
        """Return (batch, N/4, N/4, 16 c) from (batch, N, N, c)."""
        n, c = x.shape[1], x.shape[3]
        x = ops.reshape(x, (-1, n // STEM, STEM, n // STEM, STEM, c))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, n // STEM, n // STEM, STEM**2 * c))


@keras.saving.register_keras_serializable("studylib")
class DepthToSpace(layers.Layer):
    """(n, n, 16) to (4n, 4n): the inverse of the stem."""

    def call(self, x):
        """Return (batch, 4n, 4n) from (batch, n, n, 16)."""
        n = x.shape[1]
        x = ops.reshape(x, (-1, n, n, STEM, STEM))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4)), (-1, n * STEM, n * STEM))


@keras.saving.register_keras_serializable("studylib")
class ObjectRange(layers.Layer):
    """Amplitude 1.2 sigmoid, phase pi tanh, in float32."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, amplitude, phase):
        """Return amplitude in 0..1.2 and phase, rad, from two maps of logits."""
        return 1.2 * ops.sigmoid(amplitude), np.pi * ops.tanh(phase)


def _block(x, width: int):
    for _ in range(2):
        x = layers.Conv2D(width, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    return x


def _decoder(x, width: int, name: str, start: float):
    for w in (2 * width, width):
        x = _block(layers.UpSampling2D(2)(x), w)
    x = layers.Conv2D(
        STEM**2,
        3,
        padding="same",
        kernel_initializer=keras.initializers.VarianceScaling(HEAD_GAIN**2, "fan_avg", "uniform"),
        bias_initializer=keras.initializers.Constant(start),
        name=f"{name}_head",
    )(x)
    return DepthToSpace(name=f"{name}_pixels")(x)


def trunk(n_pixels: int, width: int, scale: float, policy: str) -> keras.Model:
    """Build the network from one pattern to one object patch.

    Encoder of three scales without skips, one decoder for amplitude and one for phase.

    Parameters
    ----------
    n_pixels
        N, a multiple of 16.
    width
        Feature maps at the first scale.
    scale
        Input amplitudes are divided by it; kept in the model, so that a checkpoint is complete.
    policy
        Keras dtype policy of the convolutions.

    Returns
    -------
    Model from (batch, N, N) sqrt(counts) to amplitude and phase, (batch, N, N) float32 each
    """
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        pattern = keras.Input((n_pixels, n_pixels), name="amplitude")
        x = layers.Rescaling(1 / scale, dtype="float32")(pattern)
        x = layers.Reshape((n_pixels, n_pixels, 1))(x)
        x = SpaceToDepth()(x)
        x = _block(x, width)
        for w in (2 * width, 4 * width):
            x = _block(layers.MaxPooling2D(2)(x), w)
        amplitude = _decoder(x, width, "amp", FIRST_AMPLITUDE)
        outputs = ObjectRange(name="object")(amplitude, _decoder(x, width, "phase", 0.0))
        return keras.Model(pattern, outputs, name="trunk")
    finally:
        keras.config.set_dtype_policy(previous)


def physics_informed(network: keras.Model, probe: NDArray[np.complex64], group_size: int, margin: int) -> keras.Model:
    """Build PtychoPINN: from a group's patterns and offsets to its expected patterns, in photons.

    Returns
    -------
    Model from [(batch, C, N, N) sqrt(counts), (batch, C, 2) offsets] to (batch, C, N, N) lambda
    """
    n = probe.shape[0]
    patterns = keras.Input((group_size, n, n), name="patterns")
    offsets = keras.Input((group_size, 2), name="offsets")
    amplitude, phase = network(ops.reshape(patterns, (-1, n, n)))
    amplitude = ops.reshape(amplitude, (-1, group_size, n, n))
    phase = ops.reshape(phase, (-1, group_size, n, n))
    expected = Diffraction(probe.real, probe.imag, margin, name="diffraction")(amplitude, phase, offsets)
    return keras.Model([patterns, offsets], expected, name="PtychoPINN")
