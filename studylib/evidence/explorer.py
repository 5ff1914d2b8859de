"""The part of the report that a reader can turn: pictures by split, quantity and arm, and line profiles.

Everything is in the page, compressed: pictures as 8 bit, plotly as it is published. It makes no request.
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
"""Where the evidence notebook wants it."""


def explorer(hub: Hub, dose: int, view: str, splits: list[str]) -> str:
    """Return the HTML: controls, data, plotly and the script between them.

    Parameters
    ----------
    splits
        Those that were compared; the last is shown first.
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
    """Return plotly.js, which the page holds."""
    return (files("plotly") / "package_data/plotly.min.js").read_bytes()


def _packed(content: bytes) -> str:
    return b64encode(gzip.compress(content, 9, mtime=0)).decode()


def _pictures(path: Path) -> dict:
    """Return the pictures of one split: for each quantity and arm 8 bit values, and what they mean."""
    members = read_images(path, "run notebook 05_compare again")
    truth, phase = members.pop("truth"), read_phase(path, "run notebook 05_compare again")
    told: dict = {"rows": truth.shape[0], "columns": truth.shape[1]}
    for channel in CHANNELS:
        pictures = {m: channels(image, truth, phase)[channel] for m, image in members.items()}
        true = next(iter(pictures.values()))[1]
        all_of_it = {"truth": true} | {m: pair[0] for m, pair in pictures.items()}
        shown = np.percentile(true, [0.5, 99.5])
        margin = 1.5 * float(np.ptp(shown))
        low, high = float(shown[0]) - margin, float(shown[1]) + margin
        told[channel] = {
            "low": low, "high": high, "shown": [float(v) for v in shown],
            "pictures": {name: _bytes(picture, low, high) for name, picture in all_of_it.items()},
        }  # fmt: skip
    return told


def _bytes(picture: NDArray, low: float, high: float) -> str:
    """Return a picture as 8 bit from low to high, base64; the steps are a sixtieth of the truth's range."""
    return b64encode(np.rint(255 * np.clip((picture - low) / (high - low), 0, 1)).astype(np.uint8).tobytes()).decode()
