"""Widgets of notebooks/explore.ipynb for a study of many conditions: curves of all arms, and where each one wins."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as widgets
from IPython.display import display

from studylib.evidence import index, response_findings, response_page
from studylib.evidence.response import NAME
from studylib.evidence.response_schema import Response
from studylib.io.files import read_model
from studylib.run.provenance import ROOT

METRICS = {
    "phase MS-SSIM": "phase_ms_ssim", "amplitude MS-SSIM": "amplitude_ms_ssim", "phase error": "phase_mae",
    "seconds": "seconds",
}  # fmt: skip
"""Metrics that can be chosen, by the word in the menu."""
ALL = "all"


def choices(name: str = "") -> dict[str, Path]:
    """Return the folders of all studies that have a response, by name, with the newest first.

    Parameters
    ----------
    name
        Folder of the studies; empty for the reports of the repository.
    """
    folder = Path(name).absolute() if name else ROOT / "reports"
    found = [path for path in index.studies(folder) if (path / NAME).is_file()]
    found.sort(key=lambda path: (path / NAME).stat().st_mtime, reverse=True)
    return {path.name: path for path in found}


def only(told: Response, sample: str, probe: str) -> Response:
    """Return the part of a response that belongs to a sample and a probe; "all" stands for every one."""

    def mine(rows: list) -> list:
        """Return the rows of the sample and the probe."""
        return [row for row in rows if sample in (ALL, row.sample) and probe in (ALL, row.probe)]

    parts = ("points", "winners", "limits", "rows")
    return told.model_copy(update={part: mine(getattr(told, part)) for part in parts})


def curves(name: str = "") -> widgets.Widget:
    """Return a widget with the scores of all arms over the dose, and a map of the winners; a sentence without a study.

    Parameters
    ----------
    name
        Folder of the studies; empty for the reports of the repository.
    """
    found = choices(name)
    if not found:
        return widgets.HTML(
            "No study of many conditions yet: <code>make response PROFILE=smoke</code> makes a small one."
        )
    study = widgets.Dropdown(options=list(found.items()), description="study", layout={"width": "32rem"})
    sample, probe = (widgets.Dropdown(options=[ALL], description=what) for what in ("sample", "probe"))
    metric = widgets.ToggleButtons(options=list(METRICS.items()), description="metric")

    def offer(change: object) -> None:
        """Offer the samples and probes of the chosen study."""
        told = read_model(study.value / NAME, Response, "make response")
        for menu, what in ((sample, "sample"), (probe, "probe")):
            menu.options = [ALL, *sorted({getattr(point, what) for point in told.points})]

    study.observe(offer, "value")
    offer(None)

    def draw(study: Path, sample: str, probe: str, metric: str) -> None:
        """Show the curves and the map."""
        told = only(read_model(study / NAME, Response, "make response"), sample, probe)
        if not told.points:  # between two studies, until the menus have followed, or a pair that was not studied
            return
        drawn = (
            response_page.error_response(told) if metric == "phase_mae" else response_page.dose_response(told, metric)
        )
        display(drawn, response_findings.winner_map(told))

    given = {"study": study, "sample": sample, "probe": probe, "metric": metric}
    row = widgets.HBox([study, sample, probe, metric], layout={"flex_flow": "wrap"})
    return widgets.VBox([row, widgets.interactive_output(draw, given)])
