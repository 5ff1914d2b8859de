"""Runs the plan on Snakemake: prepares the hub, shows the banners, stops at the first failure."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from filelock import FileLock, Timeout

from studylib.errors import InputError, StageError
from studylib.evidence import digest, inventory, report, summary_page
from studylib.evidence.verify import verify
from studylib.evidence.writer import DELTAS, SUMMARY
from studylib.io.files import read_json, tail, write_json, write_text
from studylib.run import processes, provenance
from studylib.run.hub import FOLDERS, MARKS, Hub
from studylib.run.mend import mend
from studylib.run.plan import BASE, Run, Stage, stages
from studylib.run.reporter import Reporter, follow

ROOT = provenance.ROOT
LOG = "cli/run_phase_g_dense.log"
RUN = "plan/run.json"
BLOCKER = "analysis/blocker.txt"
WAIT = 10.0
"""Seconds that the processes of a killed run have to be gone."""
KEPT = ("data", "analysis", "notebooks", "cli", "summary", "plan", "collect", "green", "red", ".snakemake")


def commands(run: Run, hub: str, base: str) -> list[str]:
    """Return the commands of a run as they run in the repository: one that prepares the hub, then papermill's."""
    python = Path(sys.executable)
    name = str(python.relative_to(ROOT)) if python.is_relative_to(ROOT) else "python"
    first = shlex.join([name, "-m", "studylib", "dense", *run.options(hub, base), "--prepare-only"])
    logs = [(stage, shlex.quote(f"{hub}/{stage.log}")) for stage in stages(run)]
    return [first, *(f"{s.command(name, 'notebooks', hub)} > {log} 2>&1 && echo complete >> {log}" for s, log in logs)]


def prepare(hub: Hub, run: Run, base: Path | None, clobber: bool) -> None:
    """Make the hub ready: refuse or clear earlier outputs, take over the base, write the run.

    Raises
    ------
    InputError
        The hub holds another run and clobber is off, or is not a hub at all.
    """
    provenance.commands_document()
    hub.check_folder()
    mine = hub.exists
    stale = _stale(hub)
    if stale and not clobber and not _same_run(hub, run):
        raise InputError(
            "hub", f"earlier output {stale}", "a hub without outputs of another run",
            "repeat with --clobber (make: CLOBBER=1) to delete them, or give another --hub (make: HUB=)",
        )  # fmt: skip
    if clobber and mine:
        for name in KEPT:
            shutil.rmtree(hub / name, ignore_errors=False) if (hub / name).is_dir() else None
    hub.create()
    if base is not None and not ((hub / BASE).is_file() and provenance.sha256(hub / BASE) == run.base_sha256):
        (hub / BASE).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(base, hub / BASE)
    write_json(hub / RUN, run.model_dump(mode="json"))


def _stale(hub: Hub) -> str | None:
    """Return the first earlier output of the hub."""
    files = (p for name in FOLDERS for p in (hub / name).rglob("*") if p.is_file())
    return min((name for name in map(hub.relative, files) if name != MARKS[0]), default=None)


def _same_run(hub: Hub, run: Run) -> bool:
    """Return whether the hub holds this very run, finished or not."""
    try:
        return (hub / RUN).is_file() and Run.model_validate(read_json(hub / RUN, "")) == run
    except ValueError:
        return False


def execute(hub: Hub, run: Run, base: Path | None = None, clobber: bool = False, cores: int = 2) -> list[str]:
    """Run all phases; on a crash write analysis/blocker.txt and raise.

    Returns
    -------
    Names of the arms that did not learn

    Raises
    ------
    InputError
        The hub cannot be used.
    StageError
        A stage failed, or the verification did.
    """
    with processes.signals(), _lock(hub):
        prepare(hub, run, base, clobber)
        with (hub / LOG).open("a", encoding="utf-8") as log:
            return _phases(hub, run, cores, lambda line: _say(log, line))


def _lock(hub: Hub) -> FileLock:
    """Return the hub's lock, held; it lies beside the hub, and stays there: another run may be waiting for it.

    Raises
    ------
    InputError
        Another run has it, or the processes of one that was killed still run.
    """
    lock = FileLock(f"{hub.root.resolve()}.lock", timeout=0)
    try:
        hub.root.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        # The guard of a run that was killed ends what is left of it.
        late = time.monotonic() + WAIT
        while processes.members(hub.root, processes.MARK):
            if time.monotonic() > late:
                lock.release()
                raise Timeout(lock.lock_file)
            time.sleep(0.2)
    except Timeout:
        told = processes.owner(hub.root)
        raise InputError(
            "hub", hub.root, f"a hub that no other run is writing to{f' ({told})' if told else ''}",
            "wait for that run, or give another --hub",
        ) from None  # fmt: skip
    except OSError as error:
        raise InputError(
            "hub", hub.root, f"a folder that can be written to ({error.strerror})",
            "give --hub a folder of yours, such as reports/my-run",
        ) from error  # fmt: skip
    return lock


def _say(log, line: str) -> None:
    print(line, flush=True)
    log.write(line + "\n")
    log.flush()


def _phases(hub: Hub, run: Run, cores: int, say) -> list[str]:
    plan = stages(run)
    say(f"{provenance.utc_now()} dose {run.dose}, {run.view}, {', '.join(run.splits)}, profile {run.profile}")
    (hub / BLOCKER).unlink(missing_ok=True)
    command, log = "python -m studylib verify", LOG
    try:
        mend(hub, plan, say)
        failed, told = _run_graph(hub, plan, cores, say)
        scrub(hub)
        if told:
            command, log = (failed.command("python", "notebooks"), failed.log) if failed else ("snakemake", LOG)
            raise StageError(f"stage {failed.name if failed else 'unknown'} failed", told)
        return finish(hub, say)
    except processes.Interrupted as error:
        write_text(hub / BLOCKER, f"{provenance.utc_now()} {error.args[0]}\nhub log: {LOG}\n")
        say(f"INTERRUPTED: {error.args[0]}")
        scrub(hub)
        raise
    except Exception as error:
        scrub(hub)
        trace = error.args[1] if isinstance(error, StageError) and len(error.args) > 1 else traceback.format_exc()
        write_text(hub / BLOCKER, clean(hub, f"command: {command}\nlog: {log}\nhub log: {LOG}\n\n{trace}\n"))
        say(f"FAILED: {clean(hub, str(error.args[0]))} (see {BLOCKER})")
        scrub(hub)
        raise StageError(f"{error.args[0]}; details in {BLOCKER} of the hub, log {log}") from error


def _run_graph(hub: Hub, plan: list[Stage], cores: int, say) -> tuple[Stage | None, str]:
    """Bring all stages up to date in one run of Snakemake, which starts independent ones side by side.

    Returns
    -------
    The stage that failed, and what its log or Snakemake says; an empty text when all is well
    """
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "workflow/Snakefile"),
        "--directory", str(hub.root), "--cores", str(cores), "--quiet", "all", "--rerun-incomplete",
        "--rerun-triggers", "mtime", "input", "--nolock",
    ]  # fmt: skip
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        reporter = Reporter(hub, plan, say)
        with processes.guarded(hub.root) as environment:
            process = subprocess.Popen(
                command,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment | {"PYDEVD_DISABLE_FILE_VALIDATION": "1"},
            )
            follow(process, reporter)
        said.seek(0)
        text = said.read()
    if process.returncode == 0:
        reporter.rest()
        return None, ""
    # Snakemake waits for the stages that still run, so what began and did not complete is what failed.
    reporter.look()
    failed = next(iter(reporter.running), None)
    log = tail(hub / failed.log, 6000) if failed else ""
    return failed, log or text[-6000:] or f"snakemake ended with {process.returncode}"


def finish(hub: Hub, say) -> list[str]:
    """Render the report, write summary and inventory, verify, and announce success.

    Returns
    -------
    Names of the arms that did not learn

    Raises
    ------
    StageError
        A comparison job failed, or the verification found a problem.
    """
    report.render(hub)
    if digest.exit_status(read_json(hub / SUMMARY, "run 06_evidence")):
        raise StageError("a comparison job failed, see analysis/metrics_digest.md")
    summary_page.write(hub)
    scrub(hub)
    inventory.write(hub)
    outcome = verify(hub)
    if not outcome.ok:
        raise StageError("verification failed: " + outcome.problems[0], "\n".join(outcome.problems))
    say(f"verified: {outcome.checks} checks")
    for what, path in (
        ("deltas", DELTAS), ("digest", "analysis/metrics_digest.md"), ("logs", "cli/"),
        ("report", "analysis/report.html"),
    ):  # fmt: skip
        say(f"  {what:<7} {path}")
    say((hub / "analysis/metrics_delta_highlights.txt").read_text(encoding="utf-8").rstrip())
    status = read_json(hub / DELTAS, "run 06_evidence")["status"]
    unfit = {n: told for split in status.values() for n, told in split.items() if told["status"] != "ok"}
    for name, told in unfit.items():
        say(f"{name}: {told['status']}, {told['reason']}")
    say("SUCCESS: All phases completed")
    return list(unfit)


def clean(hub: Hub, text: str) -> str:
    """Return the text without the absolute paths of this machine (TYPE-PATH-001)."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    for path, name in (
        (str(hub.root), "<hub>"), (sys.prefix, "<env>"), (sys.base_prefix, "<python>"), (str(ROOT), "<repo>"),
        (str(Path.home()), "<home>"),
    ):  # fmt: skip
        text = text.replace(path, name)
    return re.sub(r"/tmp/[\w.-]+", "<tmp>", text)


def scrub(hub: Hub) -> None:
    """Clean executed notebooks and logs."""
    for path in [*(hub / "notebooks").glob("*.ipynb"), *(hub / "cli").glob("*.log")]:
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.name != Path(LOG).name and (cleaned := clean(hub, text)) != text:
            json.loads(cleaned) if path.suffix == ".ipynb" else None
            write_text(path, cleaned)
