"""Studies of several samples on one page: `make publish-samples HUBS="reports/natural reports/phase"`.

Writes each study's response.json, byte for byte, and its pictures to docs/response/samples/, and
docs/response/samples.md from every study that lies there: a study may be added later.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.publish_response import commits_of, hubs_of
from studylib.design import SAMPLES
from studylib.evidence import gallery, response, response_tables
from studylib.evidence.response_schema import Response
from studylib.io.files import write_text, write_with

PAGE = Path(__file__).resolve().parents[1] / "docs/response/samples.md"
PARTS = {
    "Phase MS-SSIM": "phase_ms_ssim",
    "Amplitude MS-SSIM": "amplitude_ms_ssim",
    "Mean absolute error of the phase, rad": "phase_mae",
    "Seconds, training and reconstruction": "seconds",
}


def joined(studies: list[Response]) -> Response:
    """Return the conditions of several studies as those of one, samples in the order of the design.

    Raises
    ------
    ValueError
        There is none, or two of them judge different halves.
    """
    if len({told.split for told in studies}) != 1:
        raise ValueError(f"studies of one split are needed, got {sorted({told.split for told in studies})}")
    several = {
        name: [row for told in studies for row in getattr(told, name)]
        for name in ("rows", "points", "deltas", "winners", "failed", "limits", "sure")
    }
    several["winners"].sort(key=lambda w: ([*SAMPLES, w.sample].index(w.sample), w.probe, w.dose, w.view))
    return studies[0].model_copy(update=several)


def page(told: Response, sources: list[str], pictures: list[str]) -> str:
    """Return samples.md."""
    lines = [
        "# Response: every sample under every probe", "",
        f"Written by `make publish-samples` from {len(sources)} studies of `make response`, the {told.split} half, one",
        "replicate: what another object, other photons and other weights change is told by the intervals of",
        "[leaves](leaves.md). MS-SSIM after a blur of 1 px. *constant* is the best constant image. A mark (!): the arm",
        "did not learn or its contrast is out of bounds.",
        "", *sources, "",
    ]  # fmt: skip
    for title, metric in PARTS.items():
        lines += [f"## {title}", "", response_tables.markdown(response_tables.scores(told, metric)), ""]
    if told.limits:
        lines += ["## What the photons allow, and how many times Wiener's phase error each arm has", ""]
        lines += [response_tables.markdown(response_tables.limits(told)), ""]
    if told.sure:
        lines += ["## How sure", "", "The error that arms tell of their pixels, and the shares within it.", ""]
        lines += [response_tables.markdown(response_tables.sure(told)), ""]
    lines += ["## The best arm in the phase, and those that tie (within 0.005)", ""]
    lines += [response_tables.markdown(response_tables.winners(told)), "", "## Pictures", ""]
    for name in pictures:
        lines += [f"![Phase of {name.replace('_', ', ')}: a row a dose, a column an arm](samples/{name}.webp)", ""]
    if told.failed:
        lines += ["## Failed", "", *(f"- {f.folder}: {f.reason}" for f in told.failed), ""]
    return "\n".join(lines)


def add(root: Path, folder: Path) -> None:
    """Copy a study's response.json and draw its pictures."""
    told = response.read(root)
    folder.mkdir(parents=True, exist_ok=True)
    for kind in gallery.kinds(told):
        figure = gallery.draw(root, told, kind)
        write_with(
            folder / f"{'_'.join(kind)}.webp",
            lambda file, figure=figure: figure.savefig(file, format="webp", pil_kwargs={"quality": 80}),
        )
    write_text(folder / f"{root.name}.json", (root / response.NAME).read_text(encoding="utf-8"))
    write_text(folder / f"{root.name}.commit", commits_of(hubs_of(root, told)) + "\n")


def write_page(path: Path) -> None:
    """Write the page from all studies beside it."""
    folder = path.with_suffix("")
    found = {p.stem: Response.model_validate_json(p.read_text(encoding="utf-8")) for p in folder.glob("*.json")}
    commits = {name: (folder / f"{name}.commit").read_text(encoding="utf-8").strip() for name in found}
    sources = [
        f"- [{name}](samples/{name}.json): {told.generated_at}, commit {commits[name]}"
        for name, told in sorted(found.items())
    ]
    write_text(path, page(joined(list(found.values())), sources, sorted(p.stem for p in folder.glob("*.webp"))))


def main() -> None:
    """Add the studies of some folders to the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hub", required=True, nargs="+", type=Path)
    for root in parser.parse_args().hub:
        add(root, PAGE.with_suffix(""))
    write_page(PAGE)


if __name__ == "__main__":
    main()
