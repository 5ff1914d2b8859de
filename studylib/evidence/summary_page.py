"""summary/summary.md: one page with the result, the outcome of the tests, and links to the other files."""

from __future__ import annotations

from pathlib import Path

from studylib.evidence.deltas import highlights
from studylib.evidence.writer import DELTAS
from studylib.io.files import read_json, write_text
from studylib.run.hub import Hub

LINKS = (
    "analysis/report.html", "analysis/metrics_digest.md", "analysis/metrics_delta_summary.json",
    "analysis/metrics_summary.md", "analysis/ssim_grid_summary.md", "analysis/artifact_inventory.txt",
    "analysis/verification_report.json", "cli/run_phase_g_dense.log",
)  # fmt: skip
"""Files to which the page links."""


def write(hub: Hub) -> Path:
    """Write the page from the delta file and, if the mapped tests were run, from their counts."""
    content = read_json(hub / DELTAS, "run 06_evidence first")
    origin = content["provenance"]
    counts_file = hub / "summary/mapped_tests.json"
    if counts_file.is_file():
        counts = read_json(counts_file, "make mapped-tests")
        tests = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
    else:
        tests = "not run on this hub (`make mapped-tests HUB=...`)"
    fields = ("study", "dose", "view", "splits", "backend", "device", "git_commit", "git_dirty", "commands_document")
    lines = [
        f"# Dose {origin['dose']}, {origin['view']}", "",
        f"Generated {content['generated_at']}. Deltas on the {content['deltas_split']} split; PtychoPINN - other, so a",
        "positive MS-SSIM delta and a negative MAE delta favour PtychoPINN.", "",
        "```", highlights(content["deltas"]).rstrip("\n"), "```", "",
        f"Mapped tests: {tests}", "",
        "| Field | Value |", "|---|---|",
        *(f"| {name} | {origin[name]} |" for name in fields), "",
        *(f"- [{Path(name).name}](../{name})" for name in LINKS), "",
    ]  # fmt: skip
    return write_text(hub / "summary/summary.md", "\n".join(lines))
