"""Command line: python -m studylib dense | verify | record | mapped-tests | index | schema."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path

from studylib.arms.registry import USUAL, arms
from studylib.design import PROBES, SAMPLES
from studylib.errors import InputError, StudyError
from studylib.run.plan import Run

UNFIT = 3
"""Exit status of a run that finished, with arms that did not learn."""


class _Parser(argparse.ArgumentParser):
    """Bad usage is one line and exit status 2, like every other bad input."""

    def error(self, message: str):
        print(f"error: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def _cores(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number from 1 up; leave it out to use all")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    top = _Parser(prog="python -m studylib", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    dense = commands.add_parser("dense", help="run every stage for one dose and view")
    dense.add_argument("--hub", required=True, help="folder of the run")
    dense.add_argument("--dose", default="1000", help="mean photons per pattern")
    dense.add_argument("--view", default="dense", help="dense or sparse")
    dense.add_argument("--splits", nargs="+", default=["train", "test"])
    dense.add_argument("--profile", default="laptop", help="smoke, laptop or full")
    dense.add_argument("--base", default="", help="NPZ with probeGuess and objectGuess; built-in sample if absent")
    dense.add_argument("--backend", default="torch", help="torch or tensorflow")
    dense.add_argument("--arms", nargs="+", default=list(USUAL), help="keys of the arms: " + ", ".join(arms()))
    dense.add_argument("--sample", default="leaves", help="kind of object: " + ", ".join(SAMPLES))
    dense.add_argument("--probe", default="zone-plate", help="kind of probe: " + ", ".join(PROBES))
    dense.add_argument("--replicate", default="0", help="number of the repetition: moves every seed")
    dense.add_argument("--cores", type=_cores, default=os.cpu_count() or 2, help="processor cores to use")
    dense.add_argument("--clobber", action="store_true", help="delete earlier outputs of the hub")
    dense.add_argument("--collect-only", action="store_true", help="print the papermill commands, write nothing")
    dense.add_argument("--prepare-only", action="store_true", help="make the hub for the papermill commands, run none")
    dense.add_argument("--post-verify-only", action="store_true", help="render and verify an executed hub again")
    for name, text in (
        ("verify", "recompute the deltas and check every artefact"),
        ("record", "append the run to docs/fix_plan.md"),
        ("mapped-tests", "run the mapped tests and keep their logs in the hub"),
    ):
        commands.add_parser(name, help=text).add_argument("--hub", required=True)
    index = commands.add_parser("index", help="write index.html over the hubs of a folder")
    index.add_argument("--folder", default="reports")
    commands.add_parser("schema", help="print the JSON Schema of metrics_delta_summary.json")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return 0, 1 for a failed stage, 2 for bad input, 3 when an arm did not learn."""
    options = parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except StudyError as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return error.exit_status


def _dense(options: argparse.Namespace) -> int:
    from studylib.run import engine
    from studylib.run.hub import Hub

    base, sha, name = None, "", ""
    if options.base:
        from studylib.samples import load_base

        base = Path(options.base)
        load_base(base)
        sha, name = hashlib.sha256(base.read_bytes()).hexdigest(), base.name
    run = Run.checked(
        dose=options.dose, view=options.view, splits=options.splits, profile=options.profile,
        backend=options.backend, replicate=options.replicate, arms=options.arms,
        sample=options.sample, probe=options.probe, base_name=name, base_sha256=sha,
    )  # fmt: skip
    hub = Hub(Path(options.hub))
    if options.collect_only:
        print("\n".join(engine.commands(run, options.hub, options.base)))
        return 0
    if options.prepare_only:
        engine.prepare(hub, run, base, options.clobber)
        return 0
    if options.post_verify_only:
        _existing(options.hub)
        unfit = engine.finish(hub, print)
    else:
        unfit = engine.execute(hub, run, base, options.clobber, options.cores)
    return UNFIT if unfit else 0


def _existing(path: str):
    from studylib.run.hub import Hub

    hub = Hub(Path(path))
    if not (hub / "plan/run.json").is_file():
        raise InputError("hub", path, "a hub with plan/run.json", "make dense-evidence HUB=" + path)
    return hub


def _verify(options: argparse.Namespace) -> int:
    from studylib.evidence.verify import verify

    outcome = verify(_existing(options.hub))
    print("\n".join(outcome.problems) or f"verified: {outcome.checks} checks")
    return 0 if outcome.ok else 1


def _record(options: argparse.Namespace) -> int:
    from studylib.evidence.record import append_attempt
    from studylib.run.provenance import ROOT

    print(append_attempt(_existing(options.hub), ROOT / "docs/fix_plan.md"))
    return 0


def _mapped_tests(options: argparse.Namespace) -> int:
    from studylib.run.mapped_tests import run_mapped_tests

    return run_mapped_tests(_existing(options.hub))


def _index(options: argparse.Namespace) -> int:
    from studylib.evidence import index

    if not Path(options.folder).is_dir():
        raise InputError("folder", options.folder, "a folder of hubs", "give --folder reports")
    print(f"wrote {index.write(Path(options.folder))}")
    return 0


def _schema(options: argparse.Namespace) -> int:
    import json

    from studylib.evidence.schema import json_schema

    print(json.dumps(json_schema(), indent=2, sort_keys=True))
    return 0


COMMANDS = {
    "dense": _dense,
    "verify": _verify,
    "record": _record,
    "mapped-tests": _mapped_tests,
    "index": _index,
    "schema": _schema,
}
