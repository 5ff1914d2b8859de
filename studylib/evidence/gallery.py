"""Pictures of a study: the image of every arm for one object, by dose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from IPython.display import HTML
from matplotlib.figure import Figure

from studylib.design import MEASURED, VIEWS
from studylib.evidence.markup import embedded
from studylib.evidence.response_schema import Response
from studylib.evidence.response_tables import order
from studylib.judge.compare import CONSTANT, channels, read_images, read_phase
from studylib.run.hub import Hub
from studylib.run.parameters import Run
from studylib.run.study import Study

INCH = 1.7
"""Width of one picture, inches."""
LABEL = 0.3
"""Height of a line of text, inches, and of the margins."""


def pictures(root: Path, told: Response) -> HTML:
    """Return the phase images of the first replicate: one figure for each sample, probe and view.

    Parameters
    ----------
    root
        Folder of the study.
    told
        Response of the study.

    Returns
    -------
    HTML
        Figures of `draw`, embedded as images.

    Raises
    ------
    InputError
        The images of a condition are missing.
    """
    shown = []
    for sample, probe, view in kinds(told):
        words = f"phase of {sample}, {probe}, {view}: a row a dose, a column an arm"
        shown.append(embedded(draw(root, told, (sample, probe, view)), words))
    return HTML("".join(shown) or "<p>None.</p>")


def kinds(told: Response) -> list[tuple[str, str, str]]:
    """Return sample, probe and view of every figure, sorted, with dense overlap before sparse."""
    views = list(VIEWS)
    found = {(run.sample, run.setting, run.view) for run in _runs(told).values()}
    return sorted(found, key=lambda kind: (kind[0], kind[1], views.index(kind[2])))


def draw(root: Path, told: Response, kind: tuple[str, str, str]) -> Figure:
    """Draw the phase of the truth and of every arm: one row for each dose, one column for each arm.

    Every image shows the scored box, with its phase MS-SSIM below it. The mark (*) means that the arm learned from the
    reference that it is scored against.

    Parameters
    ----------
    root
        Folder of the study.
    told
        Response of the study.
    kind
        Sample, probe and view.

    Raises
    ------
    InputError
        The images of a condition are missing.
    """
    mine = {folder: run for folder, run in _runs(told).items() if (run.sample, run.setting, run.view) == kind}
    runs, label = {run.dose: folder for folder, run in mine.items()}, next(iter(mine.values()))
    # Rows of the response name a base by its file; the first replicate has the number 0.
    where = (label.base_name or label.sample, *kind[1:], 0)
    rows = [r for r in told.rows if (r.sample, r.probe, r.view, r.replicate) == where and r.arm != CONSTANT]
    score, names = {(r.dose, r.arm): r.phase_ms_ssim for r in rows}, order({r.arm for r in rows})
    first = "reference" if kind[0] == MEASURED else "truth"
    paths = {d: Hub(root / runs[d]).comparison(d, kind[2], told.split) / "reconstructions.npz" for d in sorted(runs)}
    # Rows over columns of each image, so that the figure is as high as its images need.
    tall = [np.divide(*read_phase(path, "make response").shape) for path in paths.values()]
    height = sum(INCH * ratio + LABEL for ratio in tall) + LABEL
    figure = Figure(figsize=(INCH * (1 + len(names)) + LABEL, height), dpi=110, layout="constrained")
    grid = figure.subplots(len(runs), 1 + len(names), squeeze=False)
    for axes, (dose, path) in zip(grid, paths.items(), strict=True):
        images = read_images(path, "make response")
        # The images are already in the gauge of the truth; their phase is taken near the true phase.
        truth, phase = images.pop("truth"), read_phase(path, "make response")
        seen = {first: phase} | {
            name: channels(images[name], truth, phase)["phase"][0] for name in names if name in images
        }
        # One colour scale for all arms of a dose.
        low, high = np.percentile(phase, [0.5, 99.5])
        for place, name in zip(axes, (first, *names), strict=True):
            place.set(xticks=[], yticks=[])
            if name not in seen:
                place.set_axis_off()
                continue
            place.imshow(seen[name], cmap="viridis", vmin=low, vmax=high)
            told_score = score.get((dose, name))
            place.set_xlabel("" if told_score is None else f"{told_score:.3f}", fontsize=8)
        axes[0].set_ylabel(f"{dose:,} photons", fontsize=8)
    saw = {r.arm for r in rows if r.saw_reference}
    for place, name in zip(grid[0], (first, *names), strict=True):
        place.set_title(f"{name} (*)" if name in saw else name, fontsize=9)
    return figure


def _runs(told: Response) -> dict[str, Run]:
    """Return the conditions of the first replicate that have evidence, by folder."""
    failed = {f.folder for f in told.failed}
    every = Study.model_validate(told.study).conditions()
    return {folder: run for folder, run in every.items() if run.replicate == 0 and folder not in failed}
