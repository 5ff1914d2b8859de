"""Command line: python -m studylib dense, response, inspect, plan, verify, record, index and more."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from studylib import plan_command, scan_commands
from studylib.arms.registry import USUAL, arms
from studylib.design import DISTURBANCES, DOSES, PROBES, SAMPLES, VIEWS
from studylib.ending import check_folder, check_repository, ended
from studylib.errors import InputError

if TYPE_CHECKING:
    from studylib.run.hub import Hub

UNFIT = 3
"""Exit status of a run that finished, but in which an arm did not learn."""


class _Parser(argparse.ArgumentParser):
    """Parser that reports bad usage in one line and with exit status 2, like all other bad input."""

    def error(self, message: str) -> NoReturn:
        """Report a wrong argument in one line, with exit status 2."""
        print(f"error: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def _cores(text: str) -> int:
    """Return the number of cores from an option; argparse reports any text that is not a positive whole number."""
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number from 1 up; leave it out to use all")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = _Parser(prog="python -m studylib", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    dense = commands.add_parser("dense", help="run every stage for one dose and view")
    dense.add_argument("--dose", default="1000", help="mean photons per pattern")
    dense.add_argument("--view", default="dense", help="dense or sparse")
    dense.add_argument("--splits", nargs="+", default=["train", "test"])
    dense.add_argument("--sample", default="leaves", help="kind of object: " + ", ".join(SAMPLES))
    dense.add_argument("--probe", default="zone-plate", help="kind of probe: " + ", ".join(PROBES))
    dense.add_argument("--disturbed", default="none", help="what is wrong: " + ", ".join(DISTURBANCES))
    dense.add_argument("--replicate", default="0", help="number of the repetition: moves every seed")
    _common(dense)
    dense.add_argument("--post-verify-only", action="store_true", help="render and verify an executed hub again")
    response = commands.add_parser("response", help="run every stage for many conditions, and draw their responses")
    response.add_argument("--samples", nargs="+", default=["leaves"], help="kinds of object: " + ", ".join(SAMPLES))
    response.add_argument("--probes", nargs="+", default=["zone-plate"], help="kinds of probe: " + ", ".join(PROBES))
    wrong = "what is wrong with experiments, or with what is told of them: " + ", ".join(DISTURBANCES)
    response.add_argument("--disturbed", nargs="+", default=["none"], help=wrong)
    response.add_argument("--doses", nargs="+", default=list(DOSES), help="mean photons per pattern")
    response.add_argument("--views", nargs="+", default=list(VIEWS), help="dense, sparse or both")
    response.add_argument("--splits", nargs="+", default=["test"])
    response.add_argument("--data", nargs="+", default=[], help="a measured scan in place of samples and probes")
    response.add_argument("--replicates", default="1", help="how many repetitions, each with seeds of its own")
    once = "arms that are trained once for all doses of a view, at the least (docs/transfer.md)"
    response.add_argument("--one-training", nargs="+", default=[], help=once)
    _common(response)
    for name, text in (
        ("verify", "recompute the deltas and check every artefact"),
        ("record", "append the run to docs/fix_plan.md"),
        ("clean", "delete what the run made, and nothing else"),
        ("mapped-tests", "run the mapped tests and keep their logs in the hub"),
    ):
        commands.add_parser(name, help=text).add_argument("--hub", required=True)
    # The two modules keep a command's options beside its function.
    scan_commands.add(commands)
    plan_command.add(commands)
    index = commands.add_parser("index", help="write index.html over the hubs of a folder")
    index.add_argument("--folder", default="reports")
    schema = commands.add_parser("schema", help="print the JSON Schema of a file of the evidence")
    schema.add_argument("--of", default="metrics_delta_summary", choices=("metrics_delta_summary", "response"))
    return top


def _common(command: argparse.ArgumentParser) -> None:
    """Add the options that a run of one condition and a study of many conditions share."""
    command.add_argument("--hub", required=True, help="folder of the run")
    command.add_argument("--profile", default="laptop", help="smoke, laptop or full")
    command.add_argument("--base", default="", help="NPZ with probeGuess and objectGuess; built-in sample if absent")
    command.add_argument("--backend", default="torch", help="torch or tensorflow")
    command.add_argument("--arms", nargs="+", default=list(USUAL), help="keys of the arms: " + ", ".join(arms()))
    command.add_argument("--select", nargs="+", default=[], help="arms whose options are chosen on the scan itself")
    command.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings, such as map.tv=0.4")
    command.add_argument("--settings", default="", help="TOML file of settings, such as a table [map] with tv = 0.4")
    command.add_argument("--cores", type=_cores, default=os.cpu_count() or 2, help="processor cores to use")
    command.add_argument(
        "--workflow-profile", default="local", help="where stages run: local, slurm or a folder (docs/cluster.md)"
    )
    command.add_argument("--clobber", action="store_true", help="delete earlier outputs of the hub")
    command.add_argument("--collect-only", action="store_true", help="print the papermill commands, write nothing")
    command.add_argument(
        "--prepare-only", action="store_true", help="make the hub for the papermill commands, run none"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    arguments
        Words of the command line; those of the process when None.

    Returns
    -------
    int
        0 for success, 1 for a failed stage or a failed check, 2 for bad input, 3 when an arm did not learn. When a
        signal ended the command, the status is 128 plus the number of the signal. A broken pipe, whose reader has gone,
        counts as such a signal.
    """
    options = parser().parse_args(arguments)
    try:
        check_folder()
        if options.command in OF_THE_REPOSITORY:
            check_repository(options.command)
        status = COMMANDS[options.command](options)
        # A broken pipe must raise its error here, not when Python ends.
        sys.stdout.flush()
        return status
    except (Exception, KeyboardInterrupt) as error:
        return ended(error)


def _dense(options: argparse.Namespace) -> int:
    """Run or prepare all stages of one condition."""
    from studylib.run.parameters import Run
    from studylib.run.study import Study

    run = Run.checked(
        dose=options.dose, view=options.view, splits=options.splits, replicate=options.replicate,
        sample=options.sample, probe=options.probe, disturbed=options.disturbed, **_shared(options),
    )  # fmt: skip
    return _run(options, Study.of(run), ["dense", *run.options(options.hub, options.base)])


def _response(options: argparse.Namespace) -> int:
    """Run or prepare all stages of a study of many conditions."""
    from studylib.run.study import Study

    if options.data:
        return _measured(options)
    study = Study.checked(
        samples=options.samples, probes=options.probes, doses=options.doses, views=options.views,
        splits=options.splits, replicates=options.replicates, one_training=options.one_training,
        disturbed=options.disturbed, **_shared(options),
    )  # fmt: skip
    return _run(options, study, ["response", *study.options(options.hub, options.base)])


def _measured(options: argparse.Namespace) -> int:
    """Run a study of a measured scan.

    The scan is converted to an NPZ that takes the place of a base; its object and probe have the kind "measured".
    """
    import tempfile

    from studylib.design import MEASURED
    from studylib.run import measured
    from studylib.run.study import Study

    if options.base:
        raise InputError("base", options.base, "none beside a measured scan", "give --base or --data")
    shared = _shared(options)
    # The hub gets a copy of the NPZ, so that the temporary one can go when the run has ended.
    with tempfile.TemporaryDirectory() as folder:
        base, doses = measured.as_base([Path(name) for name in options.data], Path(folder), options.doses)
        options.base = str(base)
        study = Study.checked(
            samples=[MEASURED], probes=[MEASURED], doses=doses, views=options.views, splits=["test"],
            replicates=options.replicates, one_training=options.one_training, **shared, **_base(base, options.data[0]),
        )  # fmt: skip
        return _run(options, study, ["response", *study.options(options.hub, ""), "--data", *options.data])


def _shared(options: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters that a run of one condition and a study of many conditions share."""
    from studylib.changes import read_changes

    given = {name: getattr(options, name) for name in ("profile", "backend", "arms", "select")}
    given["changes"] = read_changes(options.set, options.settings)
    if options.base:
        from studylib.samples import load_base

        # The base is read once here, so that a bad one is refused before anything is written.
        load_base(options.base)
        given |= _base(Path(options.base), options.base)
    return given


def _base(path: Path, name: str) -> dict[str, str]:
    """Return what a plan keeps of a base: its name and its SHA-256.

    Parameters
    ----------
    path
        File to hash.
    name
        File name that the user gave; its folder is left out.
    """
    from studylib.run.provenance import sha256

    return {"base_name": Path(name).name, "base_sha256": sha256(path)}


def _run(options: argparse.Namespace, study: Any, words: list[str]) -> int:
    """Execute, prepare or list the stages of a study, as the options say.

    Parameters
    ----------
    options
        Parsed options of the command.
    study
        The study, with one condition or many.
    words
        Words of the command line that give the same study, for the list of commands.

    Returns
    -------
    int
        Exit status: `UNFIT` when an arm did not learn, otherwise 0.
    """
    from studylib.run import engine, preparation
    from studylib.run.hub import Hub

    base, root = Path(options.base) if options.base else None, Hub(Path(options.hub))
    if options.collect_only:
        print("\n".join(preparation.commands(study, options.hub, words)))
        return 0
    if options.prepare_only:
        preparation.prepare(root, study, base, options.clobber)
        return 0
    if getattr(options, "post_verify_only", False):
        _existing(options.hub)
        unfit = engine.finish(root, print)
    else:
        unfit = engine.execute(root, study, base, options.clobber, options.cores, options.workflow_profile)
    return UNFIT if unfit else 0


def _existing(path: str) -> Hub:
    """Return the hub of a folder.

    Raises
    ------
    InputError
        The folder is not a hub with a plan.
    """
    from studylib.run.hub import Hub

    hub = Hub(Path(path))
    if not (hub / "plan/run.json").is_file():
        raise InputError("hub", path, "a hub with plan/run.json", "make dense-evidence HUB=" + path)
    return hub


def _verify(options: argparse.Namespace) -> int:
    """Verify every hub of a study, print the problems, and return 1 when there are any."""
    from studylib.evidence.verify import verify, verify_shared
    from studylib.run.hub import Hub
    from studylib.run.study import STUDY, hubs, study_of

    root = Hub(Path(options.hub))
    root = root if (root / STUDY).is_file() else _existing(options.hub)
    study = study_of(root)
    if study is None:
        raise InputError("hub", options.hub, "a plan that can be read", "run the command that made it again")
    checks, problems, conditions = 0, list[str](), study.conditions()
    for hub in hubs(root, study):
        folder = root.relative(hub.root)
        # Only a condition has evidence; other hubs hold what conditions share.
        outcome = (verify if folder in conditions else verify_shared)(hub)
        checks += outcome.checks
        problems += [problem if folder == "." else f"{folder}: {problem}" for problem in outcome.problems]
    print("\n".join(problems) or f"verified: {checks} checks")
    return 1 if problems else 0


def _clean(options: argparse.Namespace) -> int:
    """Delete what a run made, and print which files of others are left."""
    from studylib.run.hub import Hub
    from studylib.run.preparation import clean_hub

    left = clean_hub(Hub(Path(options.hub)))
    told = f"{len(left)} file{' is' if len(left) == 1 else 's are'} left that the study did not make"
    print(f"{told}: {', '.join(left[:5])}{', ...' if len(left) > 5 else ''}" if left else "deleted")
    return 0


def _record(options: argparse.Namespace) -> int:
    """Append a verified run to docs/fix_plan.md, and print its row."""
    from studylib.evidence.record import append_attempt
    from studylib.run.provenance import ROOT

    print(append_attempt(_existing(options.hub), ROOT / "docs/fix_plan.md"))
    return 0


def _mapped_tests(options: argparse.Namespace) -> int:
    """Run the mapped tests for a hub."""
    from studylib.run.mapped_tests import run_mapped_tests

    return run_mapped_tests(_existing(options.hub))


def _index(options: argparse.Namespace) -> int:
    """Write the index of all runs in a folder."""
    from studylib.evidence import index

    if not Path(options.folder).is_dir():
        raise InputError("folder", options.folder, "a folder of hubs", "give --folder reports")
    print(f"wrote {index.write(Path(options.folder))}")
    return 0


def _schema(options: argparse.Namespace) -> int:
    """Print the JSON Schema of a file of the evidence."""
    import json

    from studylib.evidence.response_schema import Response
    from studylib.evidence.schema import DeltaSummary

    model = Response if options.of == "response" else DeltaSummary
    print(json.dumps(model.model_json_schema(), indent=2, sort_keys=True))
    return 0


COMMANDS = {
    "dense": _dense,
    "response": _response,
    "verify": _verify,
    "clean": _clean,
    "record": _record,
    "mapped-tests": _mapped_tests,
    "index": _index,
    "schema": _schema,
    **scan_commands.COMMANDS,
    **plan_command.COMMANDS,
}
"""Function of each command, by name."""
OF_THE_REPOSITORY = ("dense", "response", "record", "mapped-tests")
"""Commands that need files beside the package: notebooks, workflow, tests and docs."""
