"""reports/index.html: a table of all runs with their results and their status (`make index`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from filelock import FileLock, Timeout
from IPython.display import HTML
from pydantic import BaseModel

from studylib.errors import InputError
from studylib.evidence.deltas import LABELS, ORDER, signed
from studylib.evidence.report import policy, scripts_of
from studylib.evidence.response import NAME as RESPONSE
from studylib.evidence.summary import comparable
from studylib.evidence.writer import DELTAS, SUMMARY
from studylib.io.files import read_model, write_text
from studylib.run.hub import LOG, Hub
from studylib.run.study import STUDY

HERE = Path(__file__).resolve().parent
COLUMNS = (
    "hub", "date", "dose", "view", "profile", "commit", "best", *(f"{LABELS[m]} vs {o}" for m, o in ORDER), "status",
)  # fmt: skip


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


class _Study(BaseModel):
    """What the index reads of the plan of a study of many conditions."""

    doses: list[int]
    views: list[str]
    profile: str


class _Winner(BaseModel):
    """What the index reads of a condition of a study."""

    best: str | None


class _Failed(BaseModel):
    """What the index reads of a condition without evidence."""

    folder: str
    reason: str


class _Response(BaseModel):
    """What the index reads of the response of a study."""

    generated_at: str
    winners: list[_Winner]
    failed: list[_Failed]


class _Verified(BaseModel):
    """What the index reads of the last verification."""

    ok: bool
    problems: list[str] = []


class _Origin(BaseModel):
    """What the index reads of the provenance."""

    git_commit: str | None
    git_dirty: bool | None


class _Arm(BaseModel):
    """What the index reads of the status of an arm."""

    status: str
    reason: str = ""


class _Job(BaseModel):
    """What the index reads of a comparison."""

    split: str
    arms: dict[str, _Arm]
    metrics: dict[str, dict[str, dict[str, float | None]]]


class _Summary(BaseModel):
    """What the index reads of the scores of all comparisons."""

    jobs: list[_Job]


class _Told(BaseModel):
    """What the index reads of the deltas. Hubs of earlier versions may hold less or more than this."""

    generated_at: str
    deltas_split: str = "test"
    provenance: _Origin
    deltas: dict[str, dict[str, dict[str, float | None]]]


def studies(folder: Path) -> list[Path]:
    """Return the folders of the studies of many conditions in a folder, sorted by name."""
    return sorted(path.parent.parent for path in folder.glob(f"*/{STUDY}"))


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


def _held(hub: Hub) -> bool:
    """Return whether a run is at work in a folder."""
    try:
        # An active run holds this lock. Without a lock file none is active, and taking the lock would create the file.
        lock = FileLock(f"{hub.root}.lock", timeout=0)
        if Path(lock.lock_file).exists():
            with lock:
                pass
    except Timeout:
        return True
    return False


def status(hub: Hub) -> str:
    """Return running, complete, unfinished, or failed or stale with the reason."""
    if _held(hub):
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


def study_row(root: Hub, folder: Path) -> Row:
    """Return the row of a study: what it varies, how many conditions each arm wins, and how many failed.

    Parameters
    ----------
    root
        Folder of the study.
    folder
        Folder of the index.
    """
    cells = dict.fromkeys(COLUMNS, "") | {"hub": root.root.relative_to(folder).as_posix()}
    page = root / "analysis/response.html"
    try:
        plan = read_model(root / STUDY, _Study, "make clean-hub HUB=...")
        cells |= {"dose": " ".join(map(str, plan.doses)), "view": " ".join(plan.views), "profile": plan.profile}
        if not (root / RESPONSE).is_file():
            cells["status"] = "running" if _held(root) else "unfinished"
        else:
            told = read_model(root / RESPONSE, _Response, "make response")
            wins = Counter(w.best for w in told.winners if w.best)
            cells["date"], cells["best"] = told.generated_at, ", ".join(f"{n} {c}x" for n, c in wins.most_common())
            lost = f"failed: {len(told.failed)} of its conditions, first {told.failed[0].folder}" if told.failed else ""
            cells["status"] = "running" if _held(root) else lost or "complete"
    except InputError as error:
        cells["status"] = f"damaged: {error}"
    return Row(cells, page.relative_to(folder).as_posix() if page.is_file() else "")


def _best(hub: Hub, split: str) -> str:
    """Return the arm with the best phase MS-SSIM among those that learned, with its score; empty without a score."""
    job = next((job for job in read_model(hub / SUMMARY, _Summary, "make verify").jobs if job.split == split), None)
    if job is None:
        return ""
    fair = comparable(job.model_dump())
    scores = {name: job.metrics.get(name, {}).get("ms_ssim", {}).get("phase") for name in fair}
    known = {name: score for name, score in scores.items() if score is not None}
    return f"{max(known, key=known.__getitem__)} {max(known.values()):.3f}" if known else ""


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
        "best": _best(hub, told.deltas_split),
        "commit": (told.provenance.git_commit or "none")[:10] + ("+dirty" if told.provenance.git_dirty else ""),
    }
    for metric, other in ORDER:
        delta = told.deltas.get(f"vs_{other}", {}).get(metric, {}).get("phase")
        cells[f"{LABELS[metric]} vs {other}"] = signed(delta, metric)
    return cells


def listing(folder: Path) -> list[Row]:
    """Return a row for each study and each hub below a folder; a study comes before its conditions."""
    root = folder.absolute()
    rows = [study_row(Hub(path), root) for path in studies(root)] + [row(Hub(path), root) for path in find(root)]
    return sorted(rows, key=lambda item: item.cells["hub"])


def write(folder: Path) -> Path:
    """Write index.html into the folder that holds the hubs."""
    rows = listing(folder)
    head = "".join(f'<th scope="col"><button type="button">{escape(c)}</button></th>' for c in COLUMNS)
    body = "\n".join(_line(r) for r in rows) or f'<tr><td colspan="{len(COLUMNS)}">none: make dense-evidence</td></tr>'
    template = (HERE / "index.html").read_text(encoding="utf-8")
    # Only the scripts of the template may run: text from a hub cannot.
    template = template.replace("@@POLICY@@", policy(scripts_of(template)))
    return write_text(folder / "index.html", template.replace("@@HEAD@@", head).replace("@@BODY@@", body))


def shown(folder: Path, way: str) -> HTML:
    """Return the runs of a folder as a table with links, for a notebook.

    Parameters
    ----------
    folder
        Folder of hubs and studies.
    way
        Path from the notebook to that folder.
    """
    rows = listing(folder) if folder.is_dir() else []
    if not rows:
        return HTML("<p>No run yet: <code>make dense-evidence PROFILE=smoke</code> in a terminal makes one.</p>")
    names = ("hub", "date", "dose", "view", "profile", "best", "status")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(_line(item, names, f"{way}/") for item in rows)
    return HTML(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _line(item: Row, columns: Sequence[str] = COLUMNS, way: str = "") -> str:
    """Return a row as HTML, with every text escaped and with the status as the class of the row.

    Parameters
    ----------
    item
        The row.
    columns
        Columns to show.
    way
        What stands before the path of the report.
    """
    cells = {name: escape(text) for name, text in item.cells.items()}
    if item.report:
        cells["hub"] = f'<a href="{escape(way + item.report)}">{cells["hub"]}</a>'
    word = item.cells["status"].partition(":")[0]
    return f'<tr class="{word}">' + "".join(f"<td>{cells[c]}</td>" for c in columns) + "</tr>"
