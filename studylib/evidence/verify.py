"""Verification of a hub: recompute deltas and scores, and check every file against its record."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from studylib.errors import StudyError
from studylib.evidence import checksums, deltas, schema, summary
from studylib.evidence.inventory import LATER, NAME
from studylib.evidence.writer import DELTAS, PRETTY, SUMMARY
from studylib.io.files import is_complete, read_json, read_model, read_table, write_json
from studylib.run import provenance
from studylib.run.hub import Hub

REQUIRED = (
    SUMMARY, DELTAS, PRETTY, NAME, "analysis/design.json", "analysis/metrics_delta_highlights.txt",
    "analysis/metrics_delta_highlights_preview.txt", "analysis/metrics_digest.md", "analysis/ssim_grid_summary.md",
    "analysis/aggregate_report.md", "analysis/aggregate_highlights.txt", "analysis/metrics_summary.md",
    "analysis/comparison_manifest.json", "analysis/report.html", "summary/summary.md",
    "cli/aggregate_report_cli.log", "cli/metrics_digest_cli.log", "cli/ssim_grid_cli.log",
)  # fmt: skip
"""Files that every finished hub has."""
PICTURES = ("phase.png", "amplitude.png", "frc.png")
"""Figures that every comparison has."""
ABSOLUTE = re.compile(r"""(?:^|[\s"'=(])/(?:home|root|tmp|work|Users|var|opt|mnt)/[\w.-]+""")
"""Absolute path of a machine."""
SCORES_AGREE = 1e-5
"""Largest difference of a score that another processor may cause."""
TEXTS = {".json", ".txt", ".md", ".csv", ".log", ".ipynb", ".html"}
"""Endings of the files that are searched for absolute paths."""


Problems = Iterator[str | None]
"""One item for each check: what is wrong, or None when the check passes."""


@dataclass(frozen=True)
class Verification:
    """Result of a verification.

    Attributes
    ----------
    checks
        Number of checks that were made.
    problems
        One line for each problem.
    """

    checks: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


def verify(hub: Hub) -> Verification:
    """Check a finished hub completely, and compute its scores again from its images. The hub stays as it is."""
    return _outcome(hub, (checksums.damaged, *CHECKS, _scores))


def intact(hub: Hub) -> Verification:
    """Check that a finished hub is as its run left it: all checks of `verify` without the scores."""
    return _outcome(hub, (checksums.damaged, *CHECKS))


def report(hub: Hub) -> Verification:
    """Check what a run left, before it is signed; write analysis/verification_report.json, even when a check fails."""
    # The report itself changes, so that an earlier signature no longer holds.
    (hub / checksums.NAME).unlink(missing_ok=True)
    result = _outcome(hub, CHECKS)
    content = {"generated_at": provenance.utc_now(), "ok": result.ok, "checks": result.checks}
    write_json(hub / "analysis/verification_report.json", content | {"problems": result.problems})
    return result


def verify_shared(hub: Hub) -> Verification:
    """Check a hub without evidence of its own by its list of hashes alone; conditions of a study share such a hub."""
    return _outcome(hub, (checksums.damaged,))


def _outcome(hub: Hub, every: tuple[Callable[[Hub], Problems], ...]) -> Verification:
    """Run checks one after another, and collect their problems.

    Parameters
    ----------
    hub
        Hub to check.
    every
        Functions that yield one item for each check.

    Returns
    -------
    Verification
        An error inside a function counts as a problem, so that a damaged file does not stop the other checks.
    """
    problems: list[str] = []
    checks = 0
    for check in every:
        try:
            for problem in check(hub):
                checks += 1
                if problem:
                    problems.append(problem)
        except (StudyError, OSError, LookupError, ValueError, TypeError, AttributeError) as error:
            problems.append(f"{check.__name__.strip('_')}: {error}")
    return Verification(checks, tuple(dict.fromkeys(problems)))


def _present(hub: Hub) -> Problems:
    """Check that every required file exists and is not empty."""
    for name in REQUIRED:
        path = hub / name
        yield None if path.is_file() and path.stat().st_size else f"{name} is missing or empty"


def _deltas(hub: Hub) -> Problems:
    """Compute every delta again from the comparison tables, and compare it with the delta file."""
    content = read_json(hub / DELTAS, "run 06_evidence")
    schema.DeltaSummary.model_validate(content)
    origin = content["provenance"]
    for split in origin["splits"]:
        folder = hub.comparison(origin["dose"], origin["view"], split)
        table, status = summary.read_table(folder / "comparison_metrics.csv"), summary.read_status(folder)
        unfit = summary.unfit(status)
        yield None if content["status"][split] == status["arms"] else f"status of {split} is not that of its comparison"
        for name, make in (("deltas_by_split", deltas.deltas_of), ("deltas_by_arm", deltas.deltas_by_arm)):
            yield from _same_deltas(f"{split} {name}", content[name][split], make(table, unfit))
        for picture in PICTURES:
            yield None if (folder / picture).is_file() else f"{hub.relative(folder / picture)} is missing"
    # The delta file repeats the deltas of one split; both copies must agree.
    head = content["deltas"] == content["deltas_by_split"][content["deltas_split"]]
    yield None if head else "deltas are not those of deltas_split"
    fresh = summary.summarise(hub, origin["dose"], origin["view"], origin["splits"])
    yield None if fresh == read_json(hub / SUMMARY, "") else f"{SUMMARY} does not follow from the tables"


def _scores(hub: Hub) -> Problems:
    """Score every reconstruction again, and compare the tables with the result."""
    from studylib.run.arm_stages import compared
    from studylib.run.parameters import Run

    run = read_model(hub / "plan/run.json", Run, "run the command that made the hub")
    for split in run.splits:
        told = read_table(hub.comparison(run.dose, run.view, split) / "comparison_metrics.csv")
        again = compared(hub, run.profile, run.dose, run.view, split, run.arms).rows
        yield None if len(told) == len(again) else f"{split}: {len(told)} rows of scores, {len(again)} follow"
        for row, fresh in zip(told, again, strict=False):
            where = f"{split} {fresh['model']} {fresh['metric']}"
            for name, value in fresh.items():
                given = row.get(name)
                yield None if _same(given, value) else f"{where}: {name} is {given}, the images give {value}"


def _same(told: str | None, value: object) -> bool:
    """Return whether a field of a table has a value, to the precision that holds between processors.

    Parameters
    ----------
    told
        Text of the field; None when the table does not have the field.
    value
        Recomputed value.
    """
    if not isinstance(value, float):
        return told == ("" if value is None else str(value))
    try:
        return math.isclose(float(told or "nan"), value, rel_tol=SCORES_AGREE, abs_tol=SCORES_AGREE)
    except ValueError:
        return False


def _same_deltas(where: str, told: dict, again: dict) -> Problems:
    """Compare recorded deltas with recomputed ones, by other arm, metric and channel.

    Parameters
    ----------
    where
        Split and field, for messages.
    told
        Deltas in the delta file.
    again
        Deltas from the tables.
    """
    yield None if told.keys() == again.keys() else f"{where}: arms {sorted(told)}, the tables give {sorted(again)}"
    for other, metrics in again.items():
        for metric, pair in metrics.items():
            for channel, value in pair.items():
                given = told.get(other, {}).get(metric, {}).get(channel)
                same = (
                    given is None if value is None else given is not None and math.isclose(given, value, abs_tol=1e-12)
                )
                here = f"{where} {other} {metric} {channel}"
                yield None if same else f"delta {here}: file says {given}, the tables give {value}"


def _texts(hub: Hub) -> Problems:
    """Check that the texts and the pretty copy say what the delta file says."""
    content = read_json(hub / DELTAS, "run 06_evidence")
    for name, make in (
        ("analysis/metrics_delta_highlights.txt", deltas.highlights),
        ("analysis/metrics_delta_highlights_preview.txt", deltas.preview),
    ):
        same = (hub / name).read_text(encoding="utf-8") == make(content["deltas"])
        yield None if same else f"{name} does not say what the deltas are"
    pretty = json.loads((hub / PRETTY).read_text(encoding="utf-8"))
    yield None if pretty == content else f"{PRETTY} differs from {DELTAS}"


def _hashes(hub: Hub) -> Problems:
    """Check that every file which a stage read or wrote still has the recorded hash."""
    recorded = {
        name: value
        for record in provenance.stamps(hub).values()
        for name, value in (record["inputs"] | record["outputs"]).items()
    }
    told = read_json(hub / DELTAS, "run 06_evidence")["provenance"]["inputs"]
    for name, value in (recorded | told).items():
        path = hub / name
        if not path.is_file():
            yield f"{name} is missing"
        else:
            yield None if provenance.sha256(path) == value else f"{name} was changed after its stage"


def _logs(hub: Hub) -> Problems:
    """Check that the log of every stage ends in `complete`."""
    for path in sorted((hub / "cli").glob("*.log")):
        if hub.relative(path) in LATER:
            continue
        yield None if is_complete(path) else f"{hub.relative(path)} does not end in complete"


def _inventory(hub: Hub) -> Problems:
    """Check that the inventory is sorted and that each of its files exists."""
    names = (hub / NAME).read_text(encoding="utf-8").splitlines()
    yield None if names == sorted(names) else f"{NAME} is not sorted"
    for name in names:
        yield None if (hub / name).is_file() else f"{NAME} lists {name}, which is missing"


def _paths(hub: Hub) -> Problems:
    """Check that no file names an absolute path of the machine (TYPE-PATH-001)."""
    for path in sorted(p for p in hub.root.rglob("*") if p.suffix in TEXTS and p.is_file()):
        # The records of Snakemake name absolute paths; they are no results.
        if ".snakemake" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        found = ABSOLUTE.search(text)
        # A picture embedded in base64 may contain any letters, so that only the hub's own path is looked for there.
        told = str(hub.root) in text or (found and path.suffix not in {".html", ".ipynb"})
        yield f"{hub.relative(path)} holds an absolute path" if told else None


CHECKS = (_present, _deltas, _texts, _hashes, _logs, _inventory, _paths)
"""Checks of what a run left, before it is signed."""
