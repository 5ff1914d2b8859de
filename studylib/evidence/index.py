"""reports/index.html: every run, what it gave, and how it stands (`make index`)."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from filelock import FileLock, Timeout

from studylib.evidence.deltas import LABELS, ORDER, signed
from studylib.evidence.report import policy, scripts_of
from studylib.evidence.writer import DELTAS
from studylib.io.files import read_json, write_text
from studylib.run.hub import LOG, Hub

HERE = Path(__file__).resolve().parent
COLUMNS = ("hub", "date", "dose", "view", "profile", "commit", *(f"{LABELS[m]} vs {o}" for m, o in ORDER), "status")


@dataclass(frozen=True)
class Row:
    """One hub of the index.

    Attributes
    ----------
    cells
        Text by column.
    report
        Path of the report, relative to the index; empty when there is none.
    """

    cells: dict[str, str]
    report: str


def find(folder: Path) -> list[Path]:
    """Return the hubs below a folder, three levels deep (a study, what is shared, a condition), by name."""
    found = (p.parent.parent for depth in ("*/", "*/*/", "*/*/*/") for p in folder.glob(f"{depth}plan/run.json"))
    return sorted(found)


def failure(hub: Hub) -> str:
    """Return why the run failed last, as its log says; empty when it does not."""
    log = hub / LOG
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    told = [line.removeprefix("FAILED: ") for line in lines if line.startswith("FAILED")]
    return told[-1] if told else ""


def status(hub: Hub) -> str:
    """Return running, complete, failed with its reason, stale or unfinished."""
    try:
        lock = FileLock(f"{hub.root}.lock", timeout=0)
        existed = Path(lock.lock_file).exists()
        if existed:
            with lock:
                pass
    except Timeout:
        return "running"
    if (hub / "analysis/blocker.txt").is_file():
        return f"failed: {failure(hub) or 'see analysis/blocker.txt'}"
    verified = hub / "analysis/verification_report.json"
    if not verified.is_file():
        return "unfinished"
    report = read_json(verified, "make verify")
    return "complete" if report["ok"] else f"stale: {report['problems'][0]}"


def row(hub: Hub, folder: Path) -> Row:
    """Return a hub's row; a run without deltas has none to show."""
    run = read_json(hub / "plan/run.json", "make clean-hub HUB=...")
    cells = dict.fromkeys(COLUMNS, "") | {
        "hub": hub.root.relative_to(folder).as_posix(), "dose": str(run["dose"]), "view": run["view"],
        "profile": run["profile"], "status": status(hub),
    }  # fmt: skip
    if (hub / DELTAS).is_file():
        content = read_json(hub / DELTAS, "make verify")
        origin = content["provenance"]
        cells["date"] = content["generated_at"]
        cells["commit"] = (origin["git_commit"] or "none")[:10] + ("+dirty" if origin["git_dirty"] else "")
        for metric, other in ORDER:
            cells[f"{LABELS[metric]} vs {other}"] = signed(content["deltas"][f"vs_{other}"][metric]["phase"], metric)
    page = hub / "analysis/report.html"
    return Row(cells, page.relative_to(folder).as_posix() if page.is_file() else "")


def write(folder: Path) -> Path:
    """Write index.html into the folder of the hubs."""
    rows = [row(Hub(path), folder.absolute()) for path in find(folder.absolute())]
    head = "".join(f'<th scope="col"><button type="button">{escape(c)}</button></th>' for c in COLUMNS)
    body = "\n".join(_line(r) for r in rows) or f'<tr><td colspan="{len(COLUMNS)}">none: make dense-evidence</td></tr>'
    template = (HERE / "index.html").read_text(encoding="utf-8")
    template = template.replace("@@POLICY@@", policy(scripts_of(template)))
    return write_text(folder / "index.html", template.replace("@@HEAD@@", head).replace("@@BODY@@", body))


def _line(item: Row) -> str:
    cells = {name: escape(text) for name, text in item.cells.items()}
    if item.report:
        cells["hub"] = f'<a href="{escape(item.report)}">{cells["hub"]}</a>'
    word = item.cells["status"].partition(":")[0]
    return f'<tr class="{word}">' + "".join(f"<td>{cells[c]}</td>" for c in COLUMNS) + "</tr>"
