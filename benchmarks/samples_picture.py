"""Draws the built-in objects and probes into docs/samples.png: `make samples`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from studylib.design import Seeds
from studylib.objects import OBJECTS, specimen
from studylib.probes import PROBES, probe_diameter

PAGE = Path(__file__).resolve().parents[1] / "docs/samples.png"


def draw() -> Figure:
    """Return the picture: a column for each object, and for each probe."""
    figure = Figure(figsize=(12, 9.5), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(2, 2.1))
    axes = top.subplots(2, len(OBJECTS))
    for column, name in zip(axes.T, OBJECTS, strict=True):
        image, phase = specimen(name, 512, Seeds().sample)
        amplitude, angle = np.abs(image)[:256, :256], (np.angle(image) if phase is None else phase)[:256, :256]
        flat = np.ptp(amplitude) < 1e-3
        shown = column[0].imshow(amplitude, cmap="gray", **({"vmin": 0.5, "vmax": 1.5} if flat else {}))
        top.colorbar(shown, ax=column[0], shrink=0.7)
        top.colorbar(column[1].imshow(angle, cmap="viridis"), ax=column[1], shrink=0.7)
        column[0].set_title(name)
    axes[0, 0].set_ylabel("amplitude")
    axes[1, 0].set_ylabel("phase [rad]")
    below = bottom.subplots(len(PROBES), 3, squeeze=False).T
    for column, name in zip(below.T, PROBES, strict=True):
        probe = PROBES[name](64, Seeds().sample)
        far = np.abs(np.fft.fftshift(np.fft.fft2(probe)))
        lit = np.abs(probe) > 0.03 * np.abs(probe).max()
        column[0].imshow(np.abs(probe), cmap="magma")
        column[1].imshow(np.where(lit, np.angle(probe), np.nan), cmap="twilight", vmin=-np.pi, vmax=np.pi)
        column[2].imshow(far, cmap="magma")
        column[0].set_ylabel(f"{name}\ndiameter {probe_diameter(probe):.0f} px")
    for axis, title in zip(below[:, 0], ("|probe|, 64 px window", "phase where it is lit", "|far field|"), strict=True):
        axis.set_title(title)
    for axis in [*axes.flat, *below.flat]:
        axis.set(xticks=[], yticks=[])
    return figure


if __name__ == "__main__":
    draw().savefig(PAGE, dpi=75)
    print(f"wrote docs/{PAGE.name}")
