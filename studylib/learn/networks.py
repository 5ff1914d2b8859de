"""The two networks on one trunk, and the model that trains PtychoPINN.

Baseline: one pattern to one object patch. PtychoPINN: a group of C patterns and their offsets to C
object patches. Both are saved with all that prediction needs, the scale of the patterns included.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from studylib.learn.blocks import STEM, Convolution, DepthToSpace, DoubleSize, HalfSize, ObjectGauge, SpaceToDepth
from studylib.learn.layers import Diffraction, FirstEstimate, MovedProbes, Overlap
from studylib.learn.recorded import Recorded
from studylib.learn.updates import GroupUpdates

HEAD_GAIN = 0.05
"""Gain of the heads' first weights. The first object is then flat: a rough one scatters light to where no
photon was counted, and the network spends its steps on leaving that plateau."""
FIRST_AMPLITUDE = float(np.log(np.e - 1))
"""Bias of the amplitude's head: softplus of it is 1, the best constant object in the network's gauge."""


def _block(x, width: int):
    for _ in range(2):
        x = Convolution(width, activation="relu", kernel_initializer="he_normal")(x)
    return x


def _head(x, name: str, start: float):
    x = Convolution(
        STEM**2,
        kernel_initializer=keras.initializers.VarianceScaling(HEAD_GAIN**2, "fan_avg", "uniform"),
        bias_initializer=keras.initializers.Constant(start),
        name=f"{name}_head",
    )(x)
    return DepthToSpace(name=f"{name}_pixels")(x)


def _trunk(features, width: int, skips: bool, gauge: float, start=None):
    """From (batch, N, c, N), and perhaps an object to start from, to amplitude and phase, (batch, N, N) float32 each.

    An encoder of three scales, one decoder for amplitude and one for phase. With skips each decoder is
    given what the encoder saw at its scale: fine detail, and noise, need not pass the coarsest one.
    """
    fine = _block(SpaceToDepth()(features), width)
    middle = _block(HalfSize()(fine), 2 * width)
    coarse = _block(HalfSize()(middle), 4 * width)

    def enlarged(x, seen):
        x = DoubleSize()(x)
        return ops.concatenate([x, seen], axis=-1) if skips else x

    deepest = enlarged(coarse, middle)

    def decoder(name: str, first: float):
        return _head(_block(enlarged(_block(deepest, 2 * width), fine), width), name, first)

    maps = decoder("amp", FIRST_AMPLITUDE if start is None else 0.0), decoder("phase", 0.0)
    return ObjectGauge(gauge, name="object")(*maps, start)


class _Policy:
    """The Keras dtype policy within a block."""

    def __init__(self, policy: str) -> None:
        self.policy, self.previous = policy, keras.config.dtype_policy()

    def __enter__(self) -> None:
        keras.config.set_dtype_policy(self.policy)

    def __exit__(self, *_) -> None:
        keras.config.set_dtype_policy(self.previous)


def _normalised(patterns, scale: float):
    return layers.Rescaling(1 / scale, dtype="float32", name="normalised")(patterns)


def baseline(
    n_pixels: int, width: int, scale: float, policy: str, skips: bool = False, gauge: float = 1.0
) -> keras.Model:
    """Build the Baseline.

    Parameters
    ----------
    n_pixels
        N, a multiple of 16.
    width
        Feature maps at the first scale; the next have twice and four times as many.
    scale
        s of DATA-001; sqrt(counts) are divided by it.
    policy
        Keras dtype policy of the convolutions.
    skips
        Whether the decoders are given the encoder's scales (Ronneberger et al., U-Net, MICCAI 2015).
    gauge
        Modulus of the best constant object.

    Returns
    -------
    Model from (batch, N, N) sqrt(counts) to amplitude and phase, (batch, N, N) float32 each
    """
    with _Policy(policy):
        patterns = keras.Input((n_pixels, n_pixels), name="patterns")
        features = layers.Reshape((n_pixels, 1, n_pixels))(_normalised(patterns, scale))
        return keras.Model(patterns, _trunk(features, width, skips, gauge), name="Baseline")


def ptychopinn(
    probe: NDArray[np.complex64],
    group_size: int,
    width: int,
    scale: float,
    policy: str,
    skips: bool = False,
    gauge: float = 1.0,
    updates: int = 0,
    mask: NDArray[np.bool_] | None = None,
) -> keras.Model:
    """Build PtychoPINN.

    Parameters
    ----------
    probe : (N, N) complex64, sqrt(photons)
    group_size
        C.
    width, scale, policy, skips, gauge
        As for the Baseline.
    updates
        Of the group's object before the network, which then corrects it; 0: the network makes the object itself.
    mask : (N, N) bool
        False where a pixel of the detector says nothing.

    Returns
    -------
    Model from [(batch, C, N, N) sqrt(counts), (batch, C, 2) whole offsets, (batch, C, 2) fractions] to amplitude and
    phase, (batch, C, N, N) float32 each
    """
    n, c = probe.shape[0], group_size
    unit = gauge / scale * probe  # patterns are divided by the scale, and the best constant object is 1
    with _Policy(policy):
        patterns = keras.Input((c, n, n), name="patterns")
        offsets, fractions = keras.Input((c, 2), name="offsets"), keras.Input((c, 2), name="fractions")
        moved = MovedProbes(unit, name="moved_probes")(fractions)
        weights, _, light = Overlap(unit, name="overlap")(offsets, *moved[:2])
        measured, start = _normalised(patterns, scale), None
        estimate = FirstEstimate(unit, name="first_estimate")(measured, *moved, weights, light)
        if updates:
            start = GroupUpdates(unit, updates, mask=mask, name="group_updates")(
                measured, offsets, *moved[:2], estimate
            )
            estimate = ops.concatenate([estimate[:, :, :, :2], ops.stack(start, axis=3), estimate[:, :, :, 4:]], axis=3)
            start = [ops.reshape(part, (-1, n, n)) for part in start]
        amplitude, phase = _trunk(ops.reshape(estimate, (-1, n, estimate.shape[3], n)), width, skips, gauge, start)
        outputs = [ops.reshape(amplitude, (-1, c, n, n)), ops.reshape(phase, (-1, c, n, n))]
        return keras.Model([patterns, offsets, fractions], outputs, name="PtychoPINN")


def with_detector(
    network: keras.Model,
    probe: NDArray[np.complex64],
    mask: NDArray[np.bool_] | None = None,
    background: NDArray[np.float32] | None = None,
) -> keras.Model:
    """Put the physics behind PtychoPINN: the model whose output is held against the counts.

    Parameters
    ----------
    network
        Of `ptychopinn`.
    probe : (N, N) complex64
    mask : (N, N) bool
        False where a pixel of the detector says nothing: nothing is expected there, and the counts are 0.
    background : (N, N) float32
        Counts of each pattern that are expected without the probe.

    Returns
    -------
    Model with PtychoPINN's inputs and the output (batch, C, N, N) lambda, photons
    """
    factor = pattern_scale(network) / network.get_layer("object").gauge
    in_photons = layers.Rescaling(factor, dtype="float32", name="probe_in_photons")
    real, imag = (in_photons(part) for part in network.get_layer("moved_probes").output[:2])
    overlap = network.get_layer("overlap").output
    detector = Diffraction(probe, mask=mask, background=background, name="diffraction")
    expected = detector(*network.outputs, real, imag, *overlap)
    return Recorded(keras.Model(network.inputs, expected, name="PtychoPINN_training"))


def group_size(network: keras.Model) -> int:
    """Return C of a PtychoPINN, 0 for a Baseline."""
    return network.inputs[0].shape[1] if len(network.inputs) == 3 else 0


def pattern_scale(network: keras.Model) -> float:
    """Return the intensity scale s that the network divides by."""
    return 1 / network.get_layer("normalised").scale
