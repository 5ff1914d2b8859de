"""Widgets of notebooks/explore.ipynb: choose a run, change the dose, select positions, compare profiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import numpy as np
from IPython.display import display
from matplotlib.figure import Figure
from numpy.typing import NDArray
from skimage.measure import profile_line

from studylib import figures
from studylib.arms.registry import settings_of
from studylib.design import DOSES, StudyDesign
from studylib.errors import InputError
from studylib.evidence.index import find
from studylib.io import dataset
from studylib.io.files import read_model
from studylib.judge.compare import channels, read_images, read_phase
from studylib.physics import forward, grouping, windows
from studylib.physics.likelihood import poisson_loss
from studylib.run.hub import Hub
from studylib.run.provenance import ROOT
from studylib.run.study import STUDY
from studylib.scan import Scan

MAKE = "make dense-evidence PROFILE=smoke makes one in a minute"
"""Remedy in error messages."""


@dataclass(frozen=True)
class Pick:
    """A comparison that can be shown.

    Attributes
    ----------
    hub
        Folder of the run.
    dose
        Photons per pattern.
    view
        dense or sparse.
    split
        train or test.
    """

    hub: Hub
    dose: int
    view: str
    split: str

    @property
    def label(self) -> str:
        """Name of the comparison in the menu: the study and the sample too, if the hub is a condition of a study."""
        names = [self.hub.root.name]
        for folder in list(self.hub.root.parents)[:2]:
            if (folder / STUDY).is_file():
                names = list(self.hub.root.relative_to(folder.parent).parts)
        return f"{' / '.join(names)}: {self.dose:,} photons, {self.view}, {self.split}"

    def design(self) -> StudyDesign:
        """Return the design of the run."""
        return read_model(self.hub / "analysis/design.json", StudyDesign, MAKE)

    def scan(self) -> Scan:
        """Return the scan: patterns, probe and positions."""
        return dataset.load_scan(self.hub.phase_d(self.dose, self.view, self.split), MAKE)

    def truth(self) -> NDArray[np.complex64]:
        """Return the true object, (rows, columns) complex64, in the frame of the positions."""
        return dataset.load_truth(self.hub.phase_d(self.dose, self.view, self.split), MAKE)

    def phase(self) -> NDArray[np.float32]:
        """Return the true phase in the scored box, (rows, columns) float32, rad, unwrapped."""
        path = self.hub.comparison(self.dose, self.view, self.split) / "reconstructions.npz"
        return read_phase(path, MAKE)

    def images(self) -> dict[str, NDArray[np.complex64]]:
        """Return the truth and the images of all arms in the scored box, by name, (rows, columns) complex64."""
        path = self.hub.comparison(self.dose, self.view, self.split) / "reconstructions.npz"
        return read_images(path, MAKE)


def choices(name: str = "") -> list[Pick]:
    """Return all comparisons below a folder, with the newest run first.

    Parameters
    ----------
    name
        Folder of hubs; empty for the reports of the repository. Its scratch hub, which the notebooks use, is included.

    Returns
    -------
    list of Pick
        At least one comparison.

    Raises
    ------
    InputError
        There is no comparison yet.
    """
    folder = Path(name).absolute() if name else ROOT / "reports"
    # The set keeps the scratch hub from being listed twice.
    hubs = [Hub(path) for path in {*find(folder), folder / "scratch"} if (path / "analysis").is_dir()]
    hubs.sort(key=lambda hub: (hub / "analysis").stat().st_mtime, reverse=True)
    found = []
    for hub in hubs:
        for path in sorted(hub.root.glob("analysis/dose_*/*/*/reconstructions.npz")):
            dose, view, split = path.parts[-4:-1]
            found.append(Pick(hub, int(dose.removeprefix("dose_")), view, split))
    if not found:
        raise InputError("hub", folder.name, "a folder with at least one compared run", MAKE)
    return found


def picker(found: list[Pick]) -> widgets.Dropdown:
    """Return the menu of the comparisons; its value is a `Pick`."""
    options = [(choice.label, choice) for choice in found]
    return widgets.Dropdown(options=options, description="run", layout={"width": "32rem"})


def arms(control: widgets.Dropdown) -> widgets.Widget:
    """Return a widget that shows one arm beside the truth, with buttons for the arm and the quantity.

    Parameters
    ----------
    control
        Menu of `picker`.
    """
    arm = widgets.ToggleButtons(description="arm")
    quantity = widgets.ToggleButtons(options=["phase", "amplitude"], description="quantity")

    def offer(change: object) -> None:
        """Offer the arms of the chosen run; keep the selected one when that run has it too."""
        names, before = [name for name in control.value.images() if name != "truth"], arm.value
        arm.options = names
        arm.value = before if before in names else names[0]

    control.observe(offer, "value")
    offer(None)

    def draw(choice: Pick, arm: str, quantity: str) -> None:
        """Show the truth, the arm and its error."""
        images = choice.images()
        if arm not in images:  # between two runs, until the buttons have followed
            return
        image, truth = channels(images[arm], images["truth"], choice.phase())[quantity]
        display(_pictures({"truth": truth, arm: image}, {"error": image - truth}, quantity))

    return _panel(draw, {"choice": control, "arm": arm, "quantity": quantity}, [arm, quantity])


def dose(control: widgets.Dropdown) -> widgets.Widget:
    """Return a widget with one patch: its pattern at a chosen dose, and the loss between a flat and the true object.

    Parameters
    ----------
    control
        Menu of `picker`.
    """
    photons = widgets.SelectionSlider(
        options=[int(10**e) for e in np.arange(2, 6.01, 0.25)], value=DOSES[0], description="photons"
    )
    position = widgets.IntSlider(description="position", max=0)
    _follow(control, position)

    def draw(choice: Pick, photons: int, position: int) -> None:
        """Show the patch of one position at the chosen dose."""
        scan = choice.scan()
        where = scan.positions[position : position + 1]
        patch = windows.extract(choice.truth(), where, scan.n_pixels)[0]
        # The probe is in sqrt(photons), so the dose scales it by its square root.
        probe = forward.probes_at(scan.probe, where)[0] * np.sqrt(photons / choice.dose)
        display(_one_pattern(patch, probe, np.random.default_rng(position)))

    return _panel(draw, {"choice": control, "photons": photons, "position": position}, [photons, position])


def landscape(patch: NDArray, probe: NDArray, counts: NDArray) -> tuple[NDArray, NDArray]:
    """Return the Poisson loss on the straight line from a flat object (t = 0) to the true one (t = 1) and beyond.

    The flat object has the mean modulus of the patch and the phase of its sum.

    Parameters
    ----------
    patch : (N, N) complex
        True object in one window.
    probe : (N, N) complex
        Probe at this position, sqrt(photons).
    counts : (N, N)
        Measured pattern, photons, zero frequency in the centre.

    Returns
    -------
    t : (61,) float64
        From -0.5 to 2.
    loss : (61,) float64
        Mean Poisson loss per pixel.
    """
    t, flat = np.linspace(-0.5, 2.0, 61), np.mean(np.abs(patch)) * np.exp(1j * np.angle(patch.sum()))
    loss = []
    for step in t:
        wave = np.fft.fft2(probe * (flat + step * (patch - flat)), norm="ortho")
        expected = np.abs(np.fft.fftshift(wave)) ** 2
        loss.append(float(np.mean(poisson_loss(counts, expected))))
    return t, np.array(loss)


def _one_pattern(patch: NDArray, probe: NDArray, generator: np.random.Generator) -> Figure:
    """Draw a patch where the probe lights it, its expected and counted pattern, and the curve of `landscape`.

    Parameters
    ----------
    patch : (N, N) complex
        True object in one window.
    probe : (N, N) complex
        Probe at this position, sqrt(photons).
    generator
        Source of the Poisson noise.
    """
    expected = np.abs(np.fft.fftshift(np.fft.fft2(probe * patch, norm="ortho"))) ** 2
    counts = generator.poisson(expected)
    figure = Figure(figsize=(12, 3), layout="constrained")
    lit, expect, noisy, curve = figure.subplots(1, 4)
    lit.imshow(np.angle(patch), alpha=np.clip(np.abs(probe) / np.abs(probe).max() * 2, 0, 1))
    lit.set_title("phase where light falls", fontsize=9)
    for axes, picture, title in (
        (expect, expected, f"expected: {expected.sum():.0f} photons"),
        (noisy, counts, f"counted: {counts.sum()}"),
    ):
        figure.colorbar(axes.imshow(np.sqrt(picture), cmap="magma", vmax=np.sqrt(expected.max())), ax=axes, shrink=0.8)
        axes.set_title(title, fontsize=9)
    t, loss = landscape(patch, probe, counts)
    curve.plot(t, loss)
    curve.axvline(1, color="grey", lw=0.8)
    curve.set(xlabel="0 flat, 1 true", title="loss")
    return figure


def positions(control: widgets.Dropdown) -> widgets.Widget:
    """Return a map of the positions; a click shows the pattern of a position and of the group that it forms.

    Parameters
    ----------
    control
        Menu of `picker`.
    """
    import plotly.graph_objects as go

    chosen = widgets.IntSlider(description="position", max=0)
    _follow(control, chosen)
    scatter = go.FigureWidget(layout={"height": 360, "margin": {"l": 40, "r": 10, "t": 10, "b": 40}})
    for name, colour, size in (("position", "#999999", 5), ("group", "#0072b2", 9), ("chosen", "#d55e00", 12)):
        scatter.add_scatter(mode="markers", name=name, marker={"color": colour, "size": size})
    scatter.update_yaxes(autorange="reversed", scaleanchor="x")

    def click(trace: object, points: Any, state: object) -> None:
        """Choose the position that was clicked."""
        if points.point_inds:
            chosen.value = points.point_inds[0]

    scatter.data[0].on_click(click)

    def draw(choice: Pick, chosen: int) -> None:
        """Mark the chosen position and its group, and show their patterns."""
        scan, design = choice.scan(), choice.design()
        settings = settings_of("pinn", design, scan)[0].grouping
        members = grouping.group(scan.positions, settings, design.seeds.grouping)[chosen]
        with scatter.batch_update():
            # The first member of a group is the position itself, the others are its companions.
            for trace, where in zip(scatter.data, (slice(None), members[1:], members[:1]), strict=True):
                trace.x, trace.y = scan.positions[where].T
        display(figures.patterns(scan.take(members).counts, len(members), scan.mask))

    return widgets.VBox([scatter, _panel(draw, {"choice": control, "chosen": chosen}, [chosen])])


def profiles(control: widgets.Dropdown) -> widgets.Widget:
    """Return a widget that shows profiles of the truth and all arms along a line, whose ends are set by four sliders.

    Parameters
    ----------
    control
        Menu of `picker`.
    """
    ends = {name: widgets.IntSlider(description=name, max=0) for name in ("x0", "y0", "x1", "y1")}
    quantity = widgets.ToggleButtons(options=["phase", "amplitude"], description="quantity")

    def resize(change: object) -> None:
        """Adapt the sliders to the image of the chosen run; the line starts as its middle row."""
        rows, columns = control.value.images()["truth"].shape
        for name, slider in ends.items():
            slider.max = (columns if name[0] == "x" else rows) - 1
        ends["y0"].value = ends["y1"].value = rows // 2
        ends["x1"].value = columns - 1

    control.observe(resize, "value")
    resize(None)

    def draw(choice: Pick, quantity: str, **ends: int) -> None:
        """Show the profiles of all arms."""
        images = choice.images()
        pairs = {m: channels(images[m], images["truth"], choice.phase())[quantity] for m in images if m != "truth"}
        display(
            _profile({"truth": next(iter(pairs.values()))[1]} | {m: p[0] for m, p in pairs.items()}, quantity, ends)
        )

    return _panel(draw, {"choice": control, "quantity": quantity, **ends}, [quantity, *ends.values()])


def _profile(pictures: dict[str, NDArray], quantity: str, ends: dict[str, int]) -> Figure:
    """Draw the line on the truth, and the profiles of all images along it.

    Parameters
    ----------
    pictures
        Images by name, (rows, columns) float64; one is the truth.
    quantity
        phase or amplitude, for the axis.
    ends
        x0, y0, x1 and y1 of the line, pixels; x along columns, y along rows.
    """
    figure = Figure(figsize=(12, 3.2), layout="constrained")
    where, curve = figure.subplots(1, 2)
    where.imshow(pictures["truth"])
    where.plot([ends["x0"], ends["x1"]], [ends["y0"], ends["y1"]], color="#d55e00")
    for name, picture in pictures.items():
        # profile_line takes (row, column), the sliders give (x, y).
        along = profile_line(picture, (ends["y0"], ends["x0"]), (ends["y1"], ends["x1"]), mode="nearest")
        curve.plot(along, label=name, color=figures.colour(name), lw=2 if name == "truth" else 1)
    curve.set(xlabel="pixels along the line", ylabel=quantity)
    curve.legend(fontsize=8)
    return figure


def _pictures(same_scale: dict[str, NDArray], errors: dict[str, NDArray], quantity: str) -> Figure:
    """Draw images with the colour scale of the truth, and errors with a scale about zero of the same range.

    Parameters
    ----------
    same_scale
        Images by name, (rows, columns) float64; one is the truth.
    errors
        Differences by name, (rows, columns) float64.
    quantity
        phase or amplitude.
    """
    figure = Figure(figsize=(13, 3), layout="constrained")
    axes = figure.subplots(1, len(same_scale) + len(errors))
    low, high = np.percentile(same_scale["truth"], [0.5, 99.5])
    for axis, (name, picture) in zip(axes, (same_scale | errors).items(), strict=True):
        limits = {"vmin": low, "vmax": high, "cmap": "viridis" if quantity == "phase" else "gray"}
        if name in errors:
            limits = {"vmin": (low - high) / 2, "vmax": (high - low) / 2, "cmap": "RdBu_r"}
        figure.colorbar(axis.imshow(picture, **limits), ax=axis, shrink=0.7)
        axis.set_title(f"{name}, {quantity}", fontsize=9)
    return figure


def _follow(control: widgets.Dropdown, position: widgets.IntSlider) -> None:
    """Keep the range of a position slider at the number of positions of the chosen run.

    Parameters
    ----------
    control
        Menu of `picker`.
    position
        The slider.
    """

    def resize(change: object) -> None:
        """Start at the middle of the scan of the chosen run."""
        position.max = len(control.value.scan().positions) - 1
        position.value = position.max // 2

    control.observe(resize, "value")
    resize(None)


def _panel(draw: Callable[..., None], given: dict[str, widgets.Widget], shown: list[widgets.Widget]) -> widgets.Widget:
    """Return widgets in a row above the output of a function that is called whenever one of them changes.

    Parameters
    ----------
    draw
        Function that displays something.
    given
        Widget of each argument of `draw`.
    shown
        Widgets in the row.
    """
    return widgets.VBox([widgets.HBox(shown, layout={"flex_flow": "wrap"}), widgets.interactive_output(draw, given)])
