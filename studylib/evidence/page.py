"""What the evidence notebook shows; all text that comes from outside is escaped."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure
from PIL import Image

from studylib import figures
from studylib.design import ARMS, MODELS, SPLITS
from studylib.evidence.deltas import LABELS, ORDER, signed
from studylib.evidence.explorer import MARK
from studylib.evidence.writer import SUMMARY
from studylib.io.dataset import load_scan
from studylib.io.files import read_json
from studylib.run.hub import Hub


def delta_table(evidence: dict[str, Any]) -> HTML:
    """Return the deltas of every split, phase first."""
    rows = [
        {"split": split, "delta": f"{LABELS[metric]} vs {other}"}
        | {c: signed(d[f"vs_{other}"][metric][c], metric) for c in ("phase", "amplitude")}
        for split, d in reversed(evidence["deltas_by_split"].items())
        for metric, other in ORDER
    ]
    return _table(pd.DataFrame(rows))


def verdict(evidence: dict[str, Any]) -> HTML:
    """Return in words who is ahead in the phase of the split that the deltas are of."""
    told = evidence["deltas"]
    origin = evidence["provenance"]
    parts = []
    for other in MODELS[1:]:
        better = {"ms_ssim": told[f"vs_{other}"]["ms_ssim"]["phase"], "mae": -told[f"vs_{other}"]["mae"]["phase"]}
        words = [
            f"{'ahead' if gain > 0 else 'behind' if gain < 0 else 'level'} in {LABELS[metric]} "
            f"({signed(told[f'vs_{other}'][metric]['phase'], metric)})"
            for metric, gain in better.items()
        ]
        parts.append(f"against {other} it is {' and '.join(words)}")
    where = f"Phase, {evidence['deltas_split']} split, {origin['dose']} photons a pattern, {origin['view']} view"
    return HTML(f"<p><b>{escape(where)}.</b> PtychoPINN: {escape('; '.join(parts))}.</p>")


def score_table(hub: Hub) -> HTML:
    """Return every model's scores and costs, by split."""
    rows = []
    for job in reversed(read_json(hub / SUMMARY, "run 06_evidence")["jobs"]):
        for model, m in job["metrics"].items():
            rows.append(
                {"split": job["split"], "model": model}
                | {f"{LABELS[k]} {c}": f"{m[k][c]:.4f}" for k in ("ms_ssim", "mae") for c in ("phase", "amplitude")}
                | {"FRC50 phase": "never" if m["frc50"]["phase"] is None else f"{m['frc50']['phase']:.3f}"}
                | {"seconds": f"{m['computation_time_s']['value']:.1f}", "MiB": f"{m['peak_memory_mib']['value']:.0f}"}
            )
    return _table(pd.DataFrame(rows))


def pictures(hub: Hub, dose: int, view: str, splits: list[str], name: str) -> HTML:
    """Return a picture of every split, test first, embedded."""
    kind = name.removesuffix(".png")
    return HTML(
        "\n".join(
            _figure(
                hub.comparison(dose, view, split) / name, f"{kind}: truth and arms, {split} split, dose {dose}, {view}"
            )
            for split in sorted(splits)
        )
    )


def _figure(source: Path | Figure, text: str) -> str:
    """Return a picture with its words, as WebP: a fifth of the bytes, so that the page stays under 8 MB."""
    drawn, small = BytesIO(), BytesIO()
    if isinstance(source, Figure):
        source.savefig(drawn, format="png", dpi=100)
    else:
        drawn.write(source.read_bytes())
    with Image.open(drawn) as picture:
        picture.convert("RGB").save(small, "WEBP", quality=90)
    data = b64encode(small.getvalue()).decode()
    return (
        f'<figure><img alt="{escape(text)}" src="data:image/webp;base64,{data}">'
        f"<figcaption>{escape(text)}</figcaption></figure>"
    )


def explore() -> HTML:
    """Return the place that report.html fills with the explorer."""
    return HTML(MARK)


def scan_map(hub: Hub, dose: int, view: str) -> HTML:
    """Return where the view's positions lie, and how much light fell on each pixel of the object."""
    scans = {split: load_scan(hub.phase_d(dose, view, split)) for split in SPLITS}
    return HTML(
        _figure(
            figures.scan_map({split: scan.positions for split, scan in scans.items()}, scans["train"]),
            f"scan positions of both halves and their illumination, dose {dose}, {view}",
        )
    )


def curves(hub: Hub, dose: int, view: str) -> HTML:
    """Return the training curves of both networks."""
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    for axes, arm in zip(figure.subplots(1, 2), ARMS, strict=True):
        folder = hub.phase_e(dose, view, arm)
        rows = pd.read_csv(folder / "history.csv")
        flat = read_json(folder / "training.json", "run 03_train")["flat_loss"]
        figures.draw_history(axes, rows.to_dict("records"), flat)
        axes.set_title(arm)
    return HTML(_figure(figure, "training and held-out loss of both networks over time, and that of a flat object"))


def overlap_table(hub: Hub, dose: int, view: str) -> HTML:
    """Return the overlap metrics of both halves."""
    metrics = read_json(hub.overlap_metrics(dose, view), "run 02_overlap")
    rows = [
        {"metric": name} | {split: "none" if m[name] is None else f"{m[name]:.4g}" for split, m in metrics.items()}
        for name in next(iter(metrics.values()))
    ]
    return _table(pd.DataFrame(rows))


def provenance_table(evidence: dict[str, Any]) -> HTML:
    """Return the provenance, folded away, complete."""
    rows = [("generated_at", evidence["generated_at"]), ("source_metrics", evidence["source_metrics"])]
    for name, value in evidence["provenance"].items():
        if isinstance(value, dict):
            rows += [(f"{name}: {k}", v) for k, v in value.items()]
        else:
            rows.append((name, ", ".join(map(str, value)) if isinstance(value, list) else value))
    table = _table(pd.DataFrame([(str(a), str(b)) for a, b in rows], columns=["field", "value"])).data
    return HTML(f"<details><summary>{len(rows)} fields</summary>{table}</details>")


def _table(frame: pd.DataFrame) -> HTML:
    return HTML(frame.to_html(index=False, escape=True, border=0))
