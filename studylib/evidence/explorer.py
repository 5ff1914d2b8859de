"""Interactive part of the report: images chosen by split, quantity and arm, with line profiles of all arms.

The page contains everything in compressed form: the images as 8-bit values, and plotly.js as it is published. The
page makes no network request.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studylib import figures
from studylib.design import CHANNELS
from studylib.judge.compare import channels, read_images, read_phase
from studylib.run.hub import Hub

HERE = Path(__file__).resolve().parent
MARK = '<div class="explorer-here"></div>'
"""Placeholder in the evidence notebook; the report puts the explorer in its place."""


def explorer(hub: Hub, dose: int, view: str, splits: list[str]) -> str:
    """Return the HTML of the explorer: controls, data, plotly.js and the script that uses them.

    Parameters
    ----------
    hub
        Folder of the run.
    dose
        Photons per pattern.
    view
        dense or sparse.
    splits
        The splits that were compared. The page shows the last one first.

    Returns
    -------
    str
        HTML with a script, for `studylib.evidence.report.render_page`.
    """
    data = {split: _pictures(hub.comparison(dose, view, split) / "reconstructions.npz") for split in splits}
    names = {name for told in data.values() for name in told["phase"]["pictures"]}
    data["colours"] = {name: figures.colour(name) for name in sorted(names)}
    return (
        (HERE / "explorer.html")
        .read_text(encoding="utf-8")
        .replace("@@DATA@@", _packed(json.dumps(data).encode()))
        .replace("@@PLOTLY@@", _packed(plotly()))
    )


def plotly() -> bytes:
    """Return the source of plotly.js, which is included in the page."""
    return (files("plotly") / "package_data/plotly.min.js").read_bytes()


def _packed(content: bytes) -> str:
    """Return bytes compressed with gzip, in base64; equal content gives equal text, since no time is stored."""
    return b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _pictures(path: Path) -> dict:
    """Return the images of one split for the script of the page.

    Returns
    -------
    dict
        rows and columns of the images. For phase and amplitude: low and high, the values of 0 and 255; shown, the range
        of the colour scale; pictures, by arm (the truth too) the 8-bit values of a (rows, columns) image.
    """
    members = read_images(path, "run notebook 05_compare again")
    truth, phase = members.pop("truth"), read_phase(path, "run notebook 05_compare again")
    told: dict = {"rows": truth.shape[0], "columns": truth.shape[1]}
    for channel in CHANNELS:
        pictures = {m: channels(image, truth, phase)[channel] for m, image in members.items()}
        # Every pair holds the same truth.
        true = next(iter(pictures.values()))[1]
        all_of_it = {"truth": true} | {m: pair[0] for m, pair in pictures.items()}
        shown = np.percentile(true, [0.5, 99.5])
        # Values beyond the colour scale are kept too, so that profiles of a wrong image are not cut at once.
        margin = 1.5 * float(np.ptp(shown))
        low, high = float(shown[0]) - margin, float(shown[1]) + margin
        told[channel] = {
            "low": low, "high": high, "shown": [float(v) for v in shown],
            "pictures": {name: _bytes(picture, low, high) for name, picture in all_of_it.items()},
        }  # fmt: skip
    return told


def _bytes(picture: NDArray, low: float, high: float) -> str:
    """Return an image as 8-bit values from low to high, in base64.

    With the margin of `_pictures` one step is about 1/64 of the range of the truth.
    """
    return b64encode(np.rint(255 * np.clip((picture - low) / (high - low), 0, 1)).astype(np.uint8).tobytes()).decode()
