"""A finished study as documents: `make publish HUB=reports/response_laptop NAME=leaves`, to docs/response/.

Writes NAME.json (the study's response, its winners told by this code), NAME.md (its tables) and NAME_*.png (its curves
and pictures), so that the published figures can be checked without the study's folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from studylib.evidence import gallery, response, response_page, response_tables
from studylib.evidence.response_schema import Response
from studylib.evidence.scan_words import of_the_scan
from studylib.evidence.writer import DELTAS
from studylib.io.files import read_json, write_json, write_text, write_with
from studylib.run.hub import Hub

FOLDER = Path(__file__).resolve().parents[1] / "docs/response"
CURVES = {
    "dose": response_page.dose_response,
    "amplitude": lambda told: response_page.dose_response(told, "amplitude_ms_ssim"),
    "fluence": response_page.fluence_response,
    "error": response_page.error_response,
}
WORDS = {
    "dose": "Phase MS-SSIM over the dose, every arm",
    "amplitude": "Amplitude MS-SSIM over the dose, every arm",
    "fluence": "Phase MS-SSIM over the photons per object pixel, both views of every arm",
    "error": "Mean absolute error of the phase over the dose, beside what the photons allow",
}


def hubs_of(root: Path, told: Response) -> list[Hub]:
    """Return the hub of every condition that has evidence: its table lies five levels below."""
    return [Hub(root / Path(table).parents[4]) for table in told.tables]


def commits_of(hubs: list[Hub]) -> str:
    """Return the commits that conditions were computed at."""
    origins = [read_json(hub / DELTAS, "make response")["provenance"] for hub in hubs]
    return ", ".join(sorted({(o["git_commit"] or "none")[:10] + ("+dirty" if o["git_dirty"] else "") for o in origins}))


def page(name: str, told: Response, commits: str, scan: list[str]) -> str:
    """Return NAME.md; `scan` is what there is to say of a measured scan."""
    tables = response_tables
    replicates = max(p.replicates for p in told.points)
    half = f"{told.split} half" if not scan else "the whole scan beside a reference from counts that no arm was given"
    lines = [
        f"# Response: {name}", "",
        f"Written by `make publish` from a study: {half}, commit {commits},",
        f"{told.generated_at}. Replicates: {replicates}; intervals are Student's t at 95 %. MS-SSIM after a blur of",
        "1 px. *constant* is the best constant image. A mark (!): in a replicate the arm did not learn or its contrast",
        "is out of bounds; (*): it learned from the reference that it is scored against, so that its score says how",
        "well it remembers, and it is no candidate for the best. All scores, and the hash of every table that was",
        f"read, are in [{name}.json]({name}.json).",
        "",
    ]  # fmt: skip
    for kind in CURVES:
        lines += [f"![{WORDS[kind]}]({name}_{kind}.png)", ""]
    for kind in gallery.kinds(told):
        words = f"Phase of {', '.join(kind)}: a row a dose, a column an arm, its MS-SSIM below"
        lines += [f"![{words}]({name}_{'_'.join(kind)}.png)", ""]
    parts = {
        "Phase MS-SSIM": tables.scores(told),
        "Amplitude MS-SSIM": tables.scores(told, "amplitude_ms_ssim"),
        "Mean absolute error of the phase, rad": tables.scores(told, "phase_mae"),
        "The best arm of each condition, and those that tie": tables.winners(told),
        "PtychoPINN minus other, phase MS-SSIM": tables.deltas(told),
        "PtychoPINN minus other, amplitude MS-SSIM": tables.deltas(told, "amplitude_ms_ssim"),
        "What the photons allow, and how many times Wiener's phase error each arm has": tables.limits(told),
        "The error that arms tell of their pixels, and the shares of pixels within it": tables.sure(told),
        "Photons per pattern that an arm needs": tables.needed(told),
        "At equal fluence: what overlap alone is worth": tables.equal_fluence(told),
        "Seconds, training and reconstruction": tables.scores(told, "seconds"),
    }
    for title, rows in parts.items():
        if rows:
            lines += [f"## {title}", "", tables.markdown(rows), ""]
    if scan:
        lines += ["## The scan", "", *(f"- {words}" for words in scan), ""]
    if told.failed:
        lines += ["## Failed", "", *(f"- {f.folder}: {f.reason}" for f in told.failed), ""]
    return "\n".join(lines)


def publish(root: Path, name: str, folder: Path = FOLDER) -> None:
    """Write the documents of a study."""
    told = response.read(root)
    told = told.model_copy(update={"winners": response.winners(told.rows)})
    folder.mkdir(parents=True, exist_ok=True)
    for kind, draw in CURVES.items():
        figure = draw(told)
        write_with(folder / f"{name}_{kind}.png", lambda file, figure=figure: figure.savefig(file, format="png"))
    for kind in gallery.kinds(told):
        figure = gallery.draw(root, told, kind)
        write_with(
            folder / f"{name}_{'_'.join(kind)}.png",
            lambda file, figure=figure: figure.savefig(file, format="png", pil_kwargs={"optimize": True}),
        )
    hubs = hubs_of(root, told)
    scan = dict.fromkeys(words for hub in hubs for words in of_the_scan(hub))
    write_text(folder / f"{name}.md", page(name, told, commits_of(hubs), list(scan)))
    write_json(folder / f"{name}.json", told.model_dump(mode="json"))


def main() -> None:
    """Publish the study of a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hub", required=True, type=Path)
    parser.add_argument("--name", required=True)
    options = parser.parse_args()
    publish(options.hub, options.name)


if __name__ == "__main__":
    main()
