"""Run a study on Snakemake: prepare its folder, show the banners, and say which conditions failed and why."""

from __future__ import annotations

import posixpath
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from studylib.errors import StageError, StudyError
from studylib.evidence import checksums, digest, findings, inventory, report, summary_page
from studylib.evidence import verify as verification
from studylib.evidence.writer import DELTAS, SUMMARY
from studylib.io.files import is_complete, read_json, tail, write_text
from studylib.run import cluster, processes, provenance, response_stage
from studylib.run.cleaning import clean, scrub
from studylib.run.hub import LOG, Hub
from studylib.run.mend import mend, refuse_to_mix
from studylib.run.preparation import lock, prepare
from studylib.run.removal import remove_tool
from studylib.run.reporter import Reporter, follow, raised
from studylib.run.stage import Stage
from studylib.run.study import Study, graph, hubs

BLOCKER = "analysis/blocker.txt"
"""Hub-relative file that says what failed, with the command, the log and the stack trace."""
Say = Callable[[str], None]
"""Takes one line that is printed, and written into the log of the run."""


def execute(
    root: Hub,
    study: Study,
    base: Path | None = None,
    clobber: bool = False,
    cores: int = 2,
    workflow_profile: str = cluster.LOCAL,
) -> list[str]:
    """Run all phases of all conditions. A condition that fails leaves analysis/blocker.txt, and the others go on.

    Parameters
    ----------
    root
        Folder of the study.
    study
        What is varied, and the arms.
    base
        NPZ with probe and object, or a measured scan; None for the built-in samples.
    clobber
        Delete earlier outputs of a study in this folder first.
    cores
        Cores of this machine that may be used.
    workflow_profile
        Where the stages run: local, slurm, or a folder with a profile of Snakemake.

    Returns
    -------
    Names of the arms whose status is not ok: they did not learn, or their contrast is out of bounds

    Raises
    ------
    InputError
        The folder cannot be used, another run is using it, or it holds images that other code made.
    StageError
        A stage failed, or the verification of a condition did. It is raised after all other conditions have run.
    Interrupted
        A signal ended the run.
    """
    plan = graph(study)
    where = cluster.placement(workflow_profile, root.root, cores, max(s.resources.memory_mib for s in plan))
    with processes.signals(), lock(root):
        prepare(root, study, base, clobber)
        older = refuse_to_mix(root, plan)
        with (root / LOG).open("a", encoding="utf-8") as log:
            for line in older:
                _say(log, line)
            unfit = _phases(root, study, plan, where, lambda line: _say(log, line))
        remove_tool(root)
        return unfit


def _say(log: TextIO, line: str) -> None:
    """Print a line and write it into the log at once, so that a killed run has lost none."""
    print(line, flush=True)
    log.write(line + "\n")
    log.flush()


def _phases(root: Hub, study: Study, plan: list[Stage], where: list[str], say: Say) -> list[str]:
    """Run the graph and finish what it made; write the blocker of the study where anything fails.

    Parameters
    ----------
    root, study
        As for `execute`.
    plan
        All stages of the study.
    where
        Options of Snakemake that say where the stages run, as `cluster.placement` gives them.
    say
        Prints and logs a line.

    Returns
    -------
    Names of the arms whose status is not ok
    """
    say(f"{provenance.utc_now()} {study.describe()}")
    every = hubs(root, study)
    for hub in every:
        (hub / BLOCKER).unlink(missing_ok=True)
    # What the blocker names, unless a stage turns out to be at fault.
    command, log = "python -m studylib verify", LOG
    try:
        mend(root, plan, say)
        failed, told = _run_graph(root, plan, where, say, keep_going=not study.alone)
        for hub in every:
            scrub(hub)
        if told and study.alone:
            first = failed[0] if failed else None
            command, log = (first.command("python", "notebooks"), first.log) if first else ("snakemake", LOG)
            raise StageError(f"stage {first.name if first else 'unknown'} failed{raised(told)}", told)
        return finish(root, say) if study.alone else _finish_all(root, study, plan, failed, told, say)
    except processes.Interrupted as error:
        write_text(root / BLOCKER, f"{provenance.utc_now()} {error.args[0]}\nhub log: {LOG}\n")
        say(f"INTERRUPTED: {error.args[0]}")
        for hub in every:
            scrub(hub)
        raise
    except Exception as error:
        scrub(root)
        write_blocker(root, error, command, log)
        told = str(error.args[0]) if isinstance(error, StudyError) else f"{type(error).__name__}: {error}"
        say(f"FAILED: {clean(root, told)} (see {BLOCKER})")
        scrub(root)
        raise StageError(f"{told}; details in {BLOCKER} of the hub, log {log}") from error


def write_blocker(hub: Hub, error: Exception, command: str, log: str) -> None:
    """Write into a hub what failed.

    Parameters
    ----------
    hub
        Hub whose analysis/blocker.txt is written.
    error
        A StageError with the end of a log as its second argument, or any error whose stack trace is current.
    command
        Command that failed.
    log
        Log of that command, hub-relative.
    """
    trace = error.args[1] if isinstance(error, StageError) and len(error.args) > 1 else traceback.format_exc()
    write_text(hub / BLOCKER, clean(hub, f"command: {command}\nlog: {log}\nhub log: {LOG}\n\n{trace}\n"))


def _run_graph(root: Hub, plan: list[Stage], where: list[str], say: Say, keep_going: bool) -> tuple[list[Stage], str]:
    """Bring all stages up to date in one run of Snakemake, which runs independent stages side by side.

    Parameters
    ----------
    root, plan, where, say
        As for `_phases`.
    keep_going
        Run what does not depend on a stage that failed.

    Returns
    -------
    failed
        Stages that failed, in the order in which they began.
    log
        End of the log of the first of them, else the end of Snakemake's output; empty when all is well.
    """
    command = [
        sys.executable, "-m", "snakemake", "--snakefile", str(provenance.ROOT / "workflow/Snakefile"),
        "--directory", str(root.root), *where, "--quiet", "all", "--rerun-incomplete",
        "--rerun-triggers", "mtime", "input", "--nolock", *(["--keep-going"] if keep_going else []),
    ]  # fmt: skip
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        reporter = Reporter(root, plan, say)
        with processes.guarded(root.root) as environment:
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
        return [], ""
    # Snakemake waits for the stages that still run. So a stage that began and did not complete has failed.
    reporter.look()
    failed = list(reporter.running)
    log = (
        tail(root / failed[0].under(failed[0].log), 6000) or cluster.job_log(root.root, failed[0].rule)
        if failed
        else ""
    )
    return failed, log or text[-6000:] or f"snakemake ended with {process.returncode}"


def _finish_all(root: Hub, study: Study, plan: list[Stage], failed: list[Stage], told: str, say: Say) -> list[str]:
    """Finish every condition that has its evidence, say why the others have none, and draw the response curves.

    Parameters
    ----------
    root, study, plan, say
        As for `_phases`.
    failed, told
        What `_run_graph` returned.

    Returns
    -------
    Names of the arms whose status is not ok in any condition

    Raises
    ------
    StageError
        A condition failed.
    """
    # A dict keeps the order in which the names come, and each but once.
    unfit: dict[str, None] = {}
    lost: dict[str, str] = {}
    for number, folder in enumerate(study.conditions(), start=1):
        hub = Hub(root / folder)
        mine = [stage for stage in plan if stage.hub == folder]
        broken = concerned(failed, mine)
        try:
            if broken:
                end = tail(root / broken[0].under(broken[0].log), 6000)
                error = StageError(f"stage {broken[0].key} failed{raised(end)}", end)
                write_blocker(hub, error, broken[0].command("python", "notebooks"), broken[0].under(broken[0].log))
                raise error
            if not all(is_complete(hub / stage.log) for stage in mine):
                raise StageError("not all of its stages ran", told)
            # A condition that no stage touched since it was verified is not rendered and signed again.
            with (hub / LOG).open("a", encoding="utf-8") as log:
                names = list(_unfit(hub)) if _is_finished(hub, mine) else finish(hub, _writer(log))
            unfit |= dict.fromkeys(names)
            say(
                f"      {number}/{len(study.conditions())} {folder}: {', '.join(names) or 'all arms'} "
                f"{'did not learn' if names else 'fit'}"
            )
        except processes.Interrupted:
            raise
        except StudyError as error:
            lost[folder] = clean(hub, str(error.args[0]))
            if not (hub / BLOCKER).is_file():
                write_blocker(hub, error, "python -m studylib verify", LOG)
            say(f"      {number}/{len(study.conditions())} {folder}: FAILED, {lost[folder]}")
    response_stage.run(root, study, lost, say)
    if lost:
        first = next(iter(lost))
        many = f"{len(lost)} of {len(study.conditions())} conditions failed"
        raise StageError(f"{many}, first {first}: {lost[first]}", told)
    say("SUCCESS: All conditions completed")
    for hub in hubs(root, study):
        if not (hub / DELTAS).is_file():  # no evidence: the study's own folder, or what conditions share
            checksums.sign(hub)
    return list(unfit)


def concerned(failed: list[Stage], mine: list[Stage]) -> list[Stage]:
    """Return the failed stages on which a condition depends.

    Parameters
    ----------
    failed
        Stages of the study that failed.
    mine
        Stages of the condition.

    Returns
    -------
    Those of `failed` that the condition runs itself, or whose files it links from another hub
    """
    shared = {posixpath.normpath(f"{stage.source}/{stage.name}") for stage in mine if stage.source}
    return [stage for stage in failed if stage in mine or stage.key in shared]


def _writer(log: TextIO) -> Say:
    """Return a function that writes lines into the log of a condition and prints nothing on the terminal."""
    return lambda line: print(line, file=log, flush=True)


def _is_finished(hub: Hub, mine: list[Stage]) -> bool:
    """Return whether the condition was verified after the last of its stages ran."""
    verified = hub / "analysis/verification_report.json"
    if not verified.is_file() or not read_json(verified, "make verify")["ok"]:
        return False
    return verified.stat().st_mtime >= max((hub / stage.log).stat().st_mtime for stage in mine)


def finish(hub: Hub, say: Say) -> list[str]:
    """Render the report, write summary and inventory, verify the hub, announce success, and sign every file off.

    Parameters
    ----------
    hub
        Hub of one condition, all stages complete.
    say
        Prints or logs a line.

    Returns
    -------
    Names of the arms whose status is not ok: they did not learn, or their contrast is out of bounds

    Raises
    ------
    InputError
        A file of the evidence is missing.
    StageError
        A comparison job failed, or the verification found a problem.
    """
    report.render(hub)
    if digest.exit_status(read_json(hub / SUMMARY, "run 06_evidence")):
        raise StageError("a comparison job failed, see analysis/metrics_digest.md")
    summary_page.write(hub)
    scrub(hub)
    inventory.write(hub)
    outcome = verification.report(hub)
    if not outcome.ok:
        raise StageError("verification failed: " + outcome.problems[0], "\n".join(outcome.problems))
    say(f"verified: {outcome.checks} checks")
    for what, path in (
        ("deltas", DELTAS), ("digest", "analysis/metrics_digest.md"), ("logs", "cli/"),
        ("report", "analysis/report.html"),
    ):  # fmt: skip
        say(f"  {what:<7} {path}")
    for line in findings.in_brief(hub):
        say(line)
    unfit = _unfit(hub)
    for name, told in unfit.items():
        say(f"{name}: {told['status']}, {told['reason']}")
    say("SUCCESS: All phases completed")
    if unfit:
        say(f"FINISHED, but not every arm can be compared (exit status 3): {', '.join(unfit)}. The report says why.")
    # The list of hashes comes last: it covers every other file of the hub.
    checksums.sign(hub)
    return list(unfit)


def _unfit(hub: Hub) -> dict[str, dict[str, str]]:
    """Return status and reason, by name, of the arms whose status is not ok."""
    status = read_json(hub / DELTAS, "run 06_evidence")["status"]
    return {name: told for split in status.values() for name, told in split.items() if told["status"] != "ok"}
