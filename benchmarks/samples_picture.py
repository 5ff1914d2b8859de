"""Draws the built-in objects and probes into docs/samples.png: `make samples`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure, SubFigure

from studylib.design import Seeds
from studylib.objects import OBJECTS, specimen
from studylib.physics.forward import expected_counts
from studylib.probes import PROBES, probe_diameter

PAGE = Path(__file__).resolve().parents[1] / "docs/samples.png"
SIZE, N = 512, 64
SHOWN = slice(10, 266), slice(112, 368)
"""Part of every object that is drawn, about the centre of the upper Siemens star."""
SEED = Seeds().sample


def draw() -> Figure:
    """Return the picture: objects above, a column each, and probes below."""
    figure = Figure(figsize=(13, 9.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.25), hspace=0.03)
    _objects(top)
    for part, name in zip(bottom.subfigures(1, len(PROBES), wspace=0.03), PROBES, strict=True):
        _probe(part, name)
    return figure


def _objects(figure: SubFigure) -> None:
    figure.suptitle(f"SAMPLE: {SHOWN[0].stop - SHOWN[0].start} px of {SIZE}", fontweight="bold")
    axes = figure.subplots(2, len(OBJECTS))
    for column, name in zip(axes.T, OBJECTS, strict=True):
        image, phase = specimen(name, SIZE, SEED)
        angle = np.angle(image) if phase is None else phase
        amplitude = column[0].imshow(np.abs(image)[SHOWN], cmap="gray", vmin=0.6, vmax=1.05)
        # One scale for all, but for the thick object, whose phase has one of its own.
        phases = column[1].imshow(angle[SHOWN], cmap="viridis", vmin=0, vmax=1 if phase is None else 9)
        column[0].set_title(name)
        if phase is not None:
            figure.colorbar(phases, ax=column[1], location="bottom", shrink=0.9, aspect=25, ticks=[0, np.pi, 2 * np.pi])
            figure.axes[-1].set_xticklabels(["0", "π", "2π"])
        else:
            figure.colorbar(phases, ax=column[1], location="bottom", shrink=0.9, aspect=25, ticks=[0, 0.5, 1])
        figure.colorbar(amplitude, ax=column[0], location="bottom", shrink=0.9, aspect=25, ticks=[0.6, 0.8, 1.0])
    axes[0, 0].set_ylabel("amplitude")
    axes[1, 0].set_ylabel("phase [rad]")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])


def _probe(figure: SubFigure, name: str) -> None:
    """Draw |P| with its 90 % diameter, its phase, the far field, and the pattern that the leaves give."""
    probe = PROBES[name](N, SEED)
    diameter = probe_diameter(probe)
    figure.suptitle(f"PROBE: {name}, diameter {diameter:.0f} of {N} px", fontweight="bold")
    modulus, phase, far, pattern = figure.subplots(2, 2).flat
    modulus.imshow(np.abs(probe), cmap="magma")
    intensity = np.abs(probe) ** 2
    rows, columns = np.indices(probe.shape)
    centre = (float((columns * intensity).sum()), float((rows * intensity).sum()))
    turn = np.linspace(0, 2 * np.pi, 100)
    modulus.plot(centre[0] + diameter / 2 * np.cos(turn), centre[1] + diameter / 2 * np.sin(turn), "w--", lw=0.8)
    modulus.set(title="|P|, circle: 90 %", xlim=(-0.5, N - 0.5), ylim=(N - 0.5, -0.5))
    phase.imshow(_coloured(probe))
    phase.set_title("phase as hue")
    far.imshow(np.abs(np.fft.fftshift(np.fft.fft2(probe))), cmap="magma")
    far.set_title("far field, no object")
    middle = np.array([[SHOWN[1].start + 128.0, SHOWN[0].start + 128.0]])
    expected = next(iter(expected_counts(specimen("leaves", SIZE, SEED).object, probe, middle)))[0]
    pattern.imshow(np.log10(expected + 1e-7), cmap="inferno", vmin=-7, vmax=np.log10(expected.max()))
    pattern.set_title("pattern of leaves (log)")
    for axis in (modulus, phase, far, pattern):
        axis.set(xticks=[], yticks=[])


def _coloured(wave: np.ndarray) -> np.ndarray:
    """Return an image whose hue is the phase and whose brightness grows with the modulus."""
    brightness = np.sqrt(np.abs(wave) / np.abs(wave).max())
    hue = np.angle(wave) / (2 * np.pi) % 1
    return hsv_to_rgb(np.stack([hue, np.full_like(hue, 0.8), brightness], axis=-1))


if __name__ == "__main__":
    draw().savefig(PAGE, dpi=80, pil_kwargs={"optimize": True})
    print(f"wrote docs/{PAGE.name}")
