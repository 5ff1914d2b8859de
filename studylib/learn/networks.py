"""The two networks, built on one trunk, and the model that trains PtychoPINN.

The Baseline takes one pattern to one object patch. PtychoPINN takes a group of C patterns and their offsets to C object
patches. Both are saved with all that prediction needs, including the scale of the patterns.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from studylib.learn.blocks import STEM, Convolution, DepthToSpace, DoubleSize, HalfSize, ObjectGauge, SpaceToDepth
from studylib.learn.layers import Diffraction, FirstEstimate, MovedProbes, Overlap, Tensor
from studylib.learn.recorded import Recorded
from studylib.learn.updates import GroupUpdates

HEAD_GAIN = 0.05
"""Gain of the first weights of the heads. The first object is then flat. A rough one scatters light to where no photon
was counted, and the network would spend its steps on leaving that plateau."""
FIRST_AMPLITUDE = float(np.log(np.e - 1))
"""First bias of the amplitude's head: its softplus is 1, the best constant object in the network's gauge."""


def _block(x: Tensor, width: int) -> Tensor:
    """Return two convolutions of `width` feature maps, each followed by a ReLU."""
    for _ in range(2):
        x = Convolution(width, activation="relu", kernel_initializer="he_normal")(x)
    return x


def _head(x: Tensor, name: str, start: float) -> Tensor:
    """Return one map, (batch, N, N), from features (batch, N/4, N/4, width).

    Parameters
    ----------
    x
        Features.
    name
        Name of the map, amp or phase.
    start
        First bias, and so about the first value of every pixel.
    """
    x = Convolution(
        STEM**2,
        kernel_initializer=keras.initializers.VarianceScaling(HEAD_GAIN**2, "fan_avg", "uniform"),
        bias_initializer=keras.initializers.Constant(start),
        name=f"{name}_head",
    )(x)
    return DepthToSpace(name=f"{name}_pixels")(x)


def _trunk(
    features: Tensor, width: int, skips: bool, gauge: float, start: Sequence[Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Return amplitude and phase, (batch, N, N) float32 each: an encoder of three scales and a decoder for each map.

    With skips each decoder is also given what the encoder saw at its scale: fine detail, and noise, need not pass
    through the coarsest scale.

    Parameters
    ----------
    features : (batch, N, c, N)
        c images, interleaved by line.
    width
        Feature maps at the first scale; the next scales have twice and four times as many.
    skips
        Whether there are skip connections.
    gauge
        Modulus of the best constant object.
    start : two (batch, N, N)
        Real and imaginary part of an object to start from, in the network's gauge; None where there is none.
    """
    # (batch, N/4, N/4, width), then half and a quarter of that side
    fine = _block(SpaceToDepth()(features), width)
    middle = _block(HalfSize()(fine), 2 * width)
    coarse = _block(HalfSize()(middle), 4 * width)

    def enlarged(x: Tensor, seen: Tensor) -> Tensor:
        """Return features at twice the size, with skips beside those that the encoder saw at that scale."""
        x = DoubleSize()(x)
        return ops.concatenate([x, seen], axis=-1) if skips else x

    # Both decoders share the first enlargement.
    deepest = enlarged(coarse, middle)

    def decoder(name: str, first: float) -> Tensor:
        """Return one map of the object; `first` is the first bias of its head."""
        return _head(_block(enlarged(_block(deepest, 2 * width), fine), width), name, first)

    # The maps are corrections where there is a start, so that both begin at 0.
    maps = decoder("amp", FIRST_AMPLITUDE if start is None else 0.0), decoder("phase", 0.0)
    return ObjectGauge(gauge, name="object")(*maps, start)


class _Policy:
    """Set the Keras dtype policy within a block, and restore the previous one after it."""

    def __init__(self, policy: str) -> None:
        self.policy, self.previous = policy, keras.config.dtype_policy()

    def __enter__(self) -> None:
        keras.config.set_dtype_policy(self.policy)

    def __exit__(self, *_: object) -> None:
        keras.config.set_dtype_policy(self.previous)


def _normalised(patterns: Tensor, scale: float) -> Tensor:
    """Return patterns divided by the scale; `pattern_scale` finds the layer by its name."""
    return layers.Rescaling(1 / scale, dtype="float32", name="normalised")(patterns)


def baseline(
    n_pixels: int, width: int, scale: float, policy: str, skips: bool = False, gauge: float = 1.0
) -> keras.Model:
    """Build the Baseline.

    Parameters
    ----------
    n_pixels
        N, the side of a pattern, pixels, a multiple of 16.
    width
        Feature maps at the first scale; the next scales have twice and four times as many.
    scale
        s of DATA-001; sqrt(counts) are divided by it.
    policy
        Keras dtype policy of the convolutions.
    skips
        Whether the decoders get skip connections from the encoder (Ronneberger et al., U-Net, MICCAI 2015).
    gauge
        Modulus of the best constant object.

    Returns
    -------
    keras.Model
        From (batch, N, N) sqrt(counts) to amplitude and phase (rad), (batch, N, N) float32 each.
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
    probe : (N, N) complex64
        Probe, sqrt(photons).
    group_size
        C, the number of positions in a group.
    width, scale, policy, skips, gauge
        As for the `baseline`.
    updates
        Number of updates of the group's object before the network, which then corrects that object
        (`studylib.learn.updates`). 0: the network makes the object itself.
    mask : (N, N) bool
        False at the detector pixels that are not used; None where all are used.

    Returns
    -------
    keras.Model
        From [(batch, C, N, N) sqrt(counts), (batch, C, 2) offsets in whole pixels, (batch, C, 2) fractions of a pixel]
        to amplitude and phase (rad), (batch, C, N, N) float32 each.
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
            # (batch, C, N, 5, N): the object after the updates replaces the group's mean.
            estimate = ops.concatenate([estimate[:, :, :, :2], ops.stack(start, axis=3), estimate[:, :, :, 4:]], axis=3)
            start = [ops.reshape(part, (-1, n, n)) for part in start]
        # The trunk sees each member alone: (batch * C, N, images, N).
        amplitude, phase = _trunk(ops.reshape(estimate, (-1, n, estimate.shape[3], n)), width, skips, gauge, start)
        outputs = [ops.reshape(amplitude, (-1, c, n, n)), ops.reshape(phase, (-1, c, n, n))]
        return keras.Model([patterns, offsets, fractions], outputs, name="PtychoPINN")


def with_detector(
    network: keras.Model,
    probe: NDArray[np.complex64],
    mask: NDArray[np.bool_] | None = None,
    background: NDArray[np.float32] | None = None,
) -> keras.Model:
    """Put the physics behind PtychoPINN: the output of this model is compared with the counts.

    Parameters
    ----------
    network
        As built by `ptychopinn`.
    probe : (N, N) complex64
        Probe, sqrt(photons).
    mask : (N, N) bool
        False at the detector pixels that are not used: nothing is expected there, and the counts are 0. None where all
        are used.
    background : (N, N) float32
        Counts per pattern that are expected without the probe; None where there are none.

    Returns
    -------
    keras.Model
        From the inputs of PtychoPINN to lambda, (batch, C, N, N) float32, photons.
    """
    # The network's own probes are in its gauge; the detector needs them in sqrt(photons).
    factor = pattern_scale(network) / network.get_layer("object").gauge
    in_photons = layers.Rescaling(factor, dtype="float32", name="probe_in_photons")
    real, imag = (in_photons(part) for part in network.get_layer("moved_probes").output[:2])
    overlap = network.get_layer("overlap").output
    detector = Diffraction(probe, mask=mask, background=background, name="diffraction")
    expected = detector(*network.outputs, real, imag, *overlap)
    return Recorded(keras.Model(network.inputs, expected, name="PtychoPINN_training"))


def group_size(network: keras.Model) -> int:
    """Return C, the number of positions in a group, of a PtychoPINN; 0 for a Baseline."""
    return network.inputs[0].shape[1] if len(network.inputs) == 3 else 0


def pattern_scale(network: keras.Model) -> float:
    """Return the intensity scale s; the network divides sqrt(counts) by it."""
    return 1 / network.get_layer("normalised").scale
