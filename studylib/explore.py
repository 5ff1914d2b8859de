"""Widgets of notebooks/explore.ipynb: choose a run, turn the dose, pick positions, compare profiles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
from studylib.io.files import read_json
from studylib.judge.compare import channels, read_images, read_phase
from studylib.physics import forward, grouping, windows
from studylib.physics.likelihood import poisson_loss
from studylib.run.hub import Hub
from studylib.run.provenance import ROOT
from studylib.scan import Scan

MAKE = "make dense-evidence PROFILE=smoke makes one in a minute"


@dataclass(frozen=True)
class Choice:
    """A comparison that can be looked at."""

    hub: Hub
    dose: int
    view: str
    split: str

    @property
    def label(self) -> str:
        """Return it in words."""
        return f"{self.hub.root.name}: {self.dose} photons, {self.view}, {self.split}"

    def design(self) -> StudyDesign:
        """Return the design of the run."""
        return StudyDesign.model_validate(read_json(self.hub / "analysis/design.json", MAKE))

    def scan(self) -> Scan:
        """Return the patterns."""
        return dataset.load_scan(self.hub.phase_d(self.dose, self.view, self.split), MAKE)

    def truth(self) -> NDArray[np.complex64]:
        """Return the true object, (rows, columns)."""
        return dataset.load_truth(self.hub.phase_d(self.dose, self.view, self.split), MAKE)

    def phase(self) -> NDArray[np.float32]:
        """Return the true phase in the scored box, unwrapped."""
        path = self.hub.comparison(self.dose, self.view, self.split) / "reconstructions.npz"
        return read_phase(path, MAKE)

    def images(self) -> dict[str, NDArray[np.complex64]]:
        """Return truth and arms in the scanned box."""
        path = self.hub.comparison(self.dose, self.view, self.split) / "reconstructions.npz"
        return read_images(path, MAKE)


def choices(name: str = "") -> list[Choice]:
    """Return every comparison below a folder, the newest run first; the scratch hub of the notebooks too.

    Parameters
    ----------
    name
        Folder of hubs; reports of the repository when empty.

    Raises
    ------
    InputError
        There is none yet.
    """
    folder = Path(name).absolute() if name else ROOT / "reports"
    hubs = [Hub(path) for path in {*find(folder), folder / "scratch"} if (path / "analysis").is_dir()]
    hubs.sort(key=lambda hub: (hub / "analysis").stat().st_mtime, reverse=True)
    found = []
    for hub in hubs:
        for path in sorted(hub.root.glob("analysis/dose_*/*/*/reconstructions.npz")):
            dose, view, split = path.parts[-4:-1]
            found.append(Choice(hub, int(dose.removeprefix("dose_")), view, split))
    if not found:
        raise InputError("hub", folder.name, "a folder with at least one compared run", MAKE)
    return found


def picker(found: list[Choice]) -> widgets.Dropdown:
    """Return the control that chooses a comparison; its value is a Choice."""
    options = [(choice.label, choice) for choice in found]
    return widgets.Dropdown(options=options, description="run", layout={"width": "32rem"})


def arms(control: widgets.Dropdown) -> widgets.Widget:
    """Return the picture of one arm beside the truth, with a choice of arm and quantity."""
    arm = widgets.ToggleButtons(description="arm")
    quantity = widgets.ToggleButtons(options=["phase", "amplitude"], description="quantity")

    def offer(change) -> None:
        names, before = [name for name in control.value.images() if name != "truth"], arm.value
        arm.options = names
        arm.value = before if before in names else names[0]

    control.observe(offer, "value")
    offer(None)

    def draw(choice: Choice, arm: str, quantity: str) -> None:
        images = choice.images()
        if arm not in images:  # between two runs, until the buttons have followed
            return
        image, truth = channels(images[arm], images["truth"], choice.phase())[quantity]
        display(_pictures({"truth": truth, arm: image}, {"error": image - truth}, quantity))

    return _panel(draw, {"choice": control, "arm": arm, "quantity": quantity}, [arm, quantity])


def dose(control: widgets.Dropdown) -> widgets.Widget:
    """Return one patch, its pattern at a dose to be dragged, and the likelihood between flat and true object."""
    photons = widgets.SelectionSlider(
        options=[int(10**e) for e in np.arange(2, 6.01, 0.25)], value=DOSES[0], description="photons"
    )
    position = widgets.IntSlider(description="position", max=0)
    _follow(control, position)

    def draw(choice: Choice, photons: int, position: int) -> None:
        scan = choice.scan()
        where = scan.positions[position : position + 1]
        patch = windows.extract(choice.truth(), where, scan.n_pixels)[0]
        probe = forward.probes_at(scan.probe, where)[0] * np.sqrt(photons / choice.dose)
        display(_one_pattern(patch, probe, np.random.default_rng(position)))

    return _panel(draw, {"choice": control, "photons": photons, "position": position}, [photons, position])


def landscape(patch: NDArray, probe: NDArray, counts: NDArray) -> tuple[NDArray, NDArray]:
    """Return the Poisson loss on the way from a flat object (t = 0) to the true one (t = 1) and beyond.

    Parameters
    ----------
    patch, probe : (N, N) complex
    counts : (N, N)

    Returns
    -------
    t and mean Poisson loss, 61 values each
    """
    t, flat = np.linspace(-0.5, 2.0, 61), np.mean(np.abs(patch)) * np.exp(1j * np.angle(patch.sum()))
    loss = []
    for step in t:
        wave = np.fft.fft2(probe * (flat + step * (patch - flat)), norm="ortho")
        expected = np.abs(np.fft.fftshift(wave)) ** 2
        loss.append(float(np.mean(poisson_loss(counts, expected))))
    return t, np.array(loss)


def _one_pattern(patch: NDArray, probe: NDArray, generator: np.random.Generator) -> Figure:
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
    """Return the map of positions: click one to see its pattern and the group it forms."""
    import plotly.graph_objects as go

    chosen = widgets.IntSlider(description="position", max=0)
    _follow(control, chosen)
    scatter = go.FigureWidget(layout={"height": 360, "margin": {"l": 40, "r": 10, "t": 10, "b": 40}})
    for name, colour, size in (("position", "#999999", 5), ("group", "#0072b2", 9), ("chosen", "#d55e00", 12)):
        scatter.add_scatter(mode="markers", name=name, marker={"color": colour, "size": size})
    scatter.update_yaxes(autorange="reversed", scaleanchor="x")

    def click(trace, points, state) -> None:
        if points.point_inds:
            chosen.value = points.point_inds[0]

    scatter.data[0].on_click(click)

    def draw(choice: Choice, chosen: int) -> None:
        scan, design = choice.scan(), choice.design()
        settings = settings_of("pinn", design, scan)[0].grouping
        members = grouping.group(scan.positions, settings, design.seeds.grouping)[chosen]
        with scatter.batch_update():
            for trace, where in zip(scatter.data, (slice(None), members[1:], members[:1]), strict=True):
                trace.x, trace.y = scan.positions[where].T
        display(figures.patterns(scan.take(members).counts, len(members), scan.mask))

    return widgets.VBox([scatter, _panel(draw, {"choice": control, "chosen": chosen}, [chosen])])


def profiles(control: widgets.Dropdown) -> widgets.Widget:
    """Return the profiles of truth and arms along a line to be drawn with four sliders."""
    ends = {name: widgets.IntSlider(description=name, max=0) for name in ("x0", "y0", "x1", "y1")}
    quantity = widgets.ToggleButtons(options=["phase", "amplitude"], description="quantity")

    def resize(change) -> None:
        rows, columns = control.value.images()["truth"].shape
        for name, slider in ends.items():
            slider.max = (columns if name[0] == "x" else rows) - 1
        ends["y0"].value = ends["y1"].value = rows // 2
        ends["x1"].value = columns - 1

    control.observe(resize, "value")
    resize(None)

    def draw(choice: Choice, quantity: str, **ends: int) -> None:
        images = choice.images()
        pairs = {m: channels(images[m], images["truth"], choice.phase())[quantity] for m in images if m != "truth"}
        display(
            _profile({"truth": next(iter(pairs.values()))[1]} | {m: p[0] for m, p in pairs.items()}, quantity, ends)
        )

    return _panel(draw, {"choice": control, "quantity": quantity, **ends}, [quantity, *ends.values()])


def _profile(pictures: dict[str, NDArray], quantity: str, ends: dict[str, int]) -> Figure:
    figure = Figure(figsize=(12, 3.2), layout="constrained")
    where, curve = figure.subplots(1, 2)
    where.imshow(pictures["truth"])
    where.plot([ends["x0"], ends["x1"]], [ends["y0"], ends["y1"]], color="#d55e00")
    for name, picture in pictures.items():
        along = profile_line(picture, (ends["y0"], ends["x0"]), (ends["y1"], ends["x1"]), mode="nearest")
        curve.plot(along, label=name, color=figures.colour(name), lw=2 if name == "truth" else 1)
    curve.set(xlabel="pixels along the line", ylabel=quantity)
    curve.legend(fontsize=8)
    return figure


def _pictures(same_scale: dict[str, NDArray], errors: dict[str, NDArray], quantity: str) -> Figure:
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
    """Keep the range of a position slider at the number of positions of the chosen run."""

    def resize(change) -> None:
        position.max = len(control.value.scan().positions) - 1
        position.value = position.max // 2

    control.observe(resize, "value")
    resize(None)


def _panel(draw, given: dict[str, widgets.Widget], shown: list[widgets.Widget]) -> widgets.Widget:
    return widgets.VBox([widgets.HBox(shown, layout={"flex_flow": "wrap"}), widgets.interactive_output(draw, given)])
