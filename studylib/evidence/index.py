"""reports/index.html: a table of all runs with their results and their status (`make index`)."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel

from studylib.errors import InputError
from studylib.evidence.deltas import LABELS, ORDER, signed
from studylib.evidence.report import policy, scripts_of
from studylib.evidence.writer import DELTAS
from studylib.io.files import read_model, write_text
from studylib.run.hub import LOG, Hub

HERE = Path(__file__).resolve().parent
COLUMNS = ("hub", "date", "dose", "view", "profile", "commit", *(f"{LABELS[m]} vs {o}" for m, o in ORDER), "status")


@dataclass(frozen=True)
class Row:
    """One hub in the index.

    Attributes
    ----------
    cells
        Text of each column.
    report
        Path of the report, relative to the index; empty when there is no report.
    """

    cells: dict[str, str]
    report: str


class _Plan(BaseModel):
    """What the index reads of the plan of a run."""

    dose: int
    view: str
    profile: str


class _Verified(BaseModel):
    """What the index reads of the last verification."""

    ok: bool
    problems: list[str] = []


class _Origin(BaseModel):
    """What the index reads of the provenance."""

    git_commit: str | None
    git_dirty: bool | None


class _Told(BaseModel):
    """What the index reads of the deltas. Hubs of earlier versions may hold less or more than this."""

    generated_at: str
    provenance: _Origin
    deltas: dict[str, dict[str, dict[str, float | None]]]


def find(folder: Path) -> list[Path]:
    """Return the folders of the hubs below a folder, sorted by name.

    Hubs lie at most three levels deep: a study, what its conditions share, and a condition.
    """
    found = (p.parent.parent for depth in ("*/", "*/*/", "*/*/*/") for p in folder.glob(f"{depth}plan/run.json"))
    return sorted(found)


def failure(hub: Hub) -> str:
    """Return the reason of the last failure in the log of a run; empty when the log tells of none."""
    log = hub / LOG
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    told = [line.removeprefix("FAILED: ") for line in lines if line.startswith("FAILED")]
    return told[-1] if told else ""


def status(hub: Hub) -> str:
    """Return running, complete, unfinished, or failed or stale with the reason."""
    try:
        # An active run holds this lock. Without a lock file none is active, and taking the lock would create the file.
        lock = FileLock(f"{hub.root}.lock", timeout=0)
        if Path(lock.lock_file).exists():
            with lock:
                pass
    except Timeout:
        return "running"
    if (hub / "analysis/blocker.txt").is_file():
        return f"failed: {failure(hub) or 'see analysis/blocker.txt'}"
    verified = hub / "analysis/verification_report.json"
    if not verified.is_file():
        return "unfinished"
    report = read_model(verified, _Verified, "make verify")
    return "complete" if report.ok else f"stale: {' '.join(report.problems[:1])}"


def row(hub: Hub, folder: Path) -> Row:
    """Return the row of a hub. A run without deltas has no date, commit or scores.

    Parameters
    ----------
    hub
        Folder of the run.
    folder
        Folder of the index; names and links in the row are relative to it.

    A hub with a damaged file has a row too, whose status says what is wrong: it must not hide the other hubs.
    """
    cells = dict.fromkeys(COLUMNS, "") | {"hub": hub.root.relative_to(folder).as_posix()}
    try:
        run = read_model(hub / "plan/run.json", _Plan, "make clean-hub HUB=...")
        cells |= {"dose": str(run.dose), "view": run.view, "profile": run.profile}
        cells |= _scores(hub) | {"status": status(hub)}
    except InputError as error:
        cells["status"] = f"damaged: {error}"
    page = hub / "analysis/report.html"
    return Row(cells, page.relative_to(folder).as_posix() if page.is_file() else "")


def _scores(hub: Hub) -> dict[str, str]:
    """Return date, commit and phase deltas of a hub; nothing where it has no deltas yet.

    Raises
    ------
    InputError
        The file of the deltas is damaged.
    """
    if not (hub / DELTAS).is_file():
        return {}
    told = read_model(hub / DELTAS, _Told, "make verify")
    cells = {
        "date": told.generated_at,
        "commit": (told.provenance.git_commit or "none")[:10] + ("+dirty" if told.provenance.git_dirty else ""),
    }
    for metric, other in ORDER:
        delta = told.deltas.get(f"vs_{other}", {}).get(metric, {}).get("phase")
        cells[f"{LABELS[metric]} vs {other}"] = signed(delta, metric)
    return cells


def write(folder: Path) -> Path:
    """Write index.html into the folder that holds the hubs."""
    rows = [row(Hub(path), folder.absolute()) for path in find(folder.absolute())]
    head = "".join(f'<th scope="col"><button type="button">{escape(c)}</button></th>' for c in COLUMNS)
    body = "\n".join(_line(r) for r in rows) or f'<tr><td colspan="{len(COLUMNS)}">none: make dense-evidence</td></tr>'
    template = (HERE / "index.html").read_text(encoding="utf-8")
    # Only the scripts of the template may run: text from a hub cannot.
    template = template.replace("@@POLICY@@", policy(scripts_of(template)))
    return write_text(folder / "index.html", template.replace("@@HEAD@@", head).replace("@@BODY@@", body))


def _line(item: Row) -> str:
    """Return a row as HTML, with every text escaped and with the status as the class of the row."""
    cells = {name: escape(text) for name, text in item.cells.items()}
    if item.report:
        cells["hub"] = f'<a href="{escape(item.report)}">{cells["hub"]}</a>'
    word = item.cells["status"].partition(":")[0]
    return f'<tr class="{word}">' + "".join(f"<td>{cells[c]}</td>" for c in COLUMNS) + "</tr>"
