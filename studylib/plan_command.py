"""The command `plan`, which plans an experiment."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studylib.experiment import Experiment


def add(commands: Any) -> None:
    """Add the command to the subparsers of a parser."""
    plan = commands.add_parser("plan", help="dose, step and arm for a wanted image, from the limit and a response")
    plan.add_argument("--base", default="", help="NPZ with probeGuess and objectGuess; built-in sample if absent")
    plan.add_argument("--sample", default="leaves", help="kind of the built-in object")
    plan.add_argument("--probe", default="zone-plate", help="kind of the built-in probe")
    wanted = plan.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--mae", type=float, help="wanted mean absolute error of the phase, rad")
    wanted.add_argument("--resolution", type=float, help="wanted half period, object pixels, ring correlation 0.5")
    plan.add_argument("--field", type=int, nargs=2, metavar=("ROWS", "COLUMNS"), help="field of view, px; the object's")
    plan.add_argument("--flux", type=float, help="photons per second on the object")
    plan.add_argument("--overhead", type=float, default=0.0, help="seconds of each position beside its exposure")
    plan.add_argument("--response", nargs="+", default=[], help="response.json of studies; those in docs if absent")
    plan.add_argument("--like", nargs=2, metavar=("SAMPLE", "PROBE"), help="object and probe of the studies to go by")
    plan.add_argument("--out", default="", help="JSON to write")


def plan(options: argparse.Namespace) -> int:
    """Make a plan, print its answer and a table of all options, and write it as JSON when a file was named."""
    from studylib.judge.target import Target
    from studylib.planner import Measuring, check_out, make_plan, read_responses, write

    # A wrong file name must be refused before the computation, not after it.
    check_out(options.out)
    measuring = Measuring(options.flux, options.overhead)
    target = Target("mae", options.mae) if options.mae is not None else Target("resolution", options.resolution)
    response = read_responses(options.response)
    experiment = experiment_of(options.base, options.sample, options.probe, options.field)
    made = make_plan(experiment, target, response, tuple(options.like) if options.like else None, measuring)
    print(made.words)
    print("\n".join(f"note: {note}" for note in made.notes) + "\n" * bool(made.notes) + table(made.rows()))
    if options.out:
        print(f"wrote {write(made, options.out)}")
    return 0


def experiment_of(base: str, sample: str, probe: str, field: Any) -> Experiment:
    """Return the experiment with the object and probe of a base NPZ, or with built-in ones.

    Parameters
    ----------
    base
        NPZ with probe and object; empty for the built-in ones.
    sample, probe
        Kinds of the built-in object and probe.
    field
        Rows and columns that the positions span, object pixels; those of the object when empty or None.

    Returns
    -------
    Experiment
        With the raster and the seeds of the laptop profile.

    Raises
    ------
    InputError
        The base cannot be used, a kind is unknown, or the field is smaller than one pixel.
    """
    from studylib.design import StudyDesign
    from studylib.experiment import Experiment
    from studylib.samples import built_in, load_base

    design = StudyDesign.for_profile("laptop")
    source = load_base(base) if base else built_in(design.sample, design.seeds, sample, probe)
    rows, columns = field or source.object.shape
    return Experiment(source, (rows, columns), design.sample, design.seeds.simulation)


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as aligned text, without the columns that are empty in all rows.

    Parameters
    ----------
    rows
        Values by the name of the column; at least one row.
    """
    names = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _cell(value: Any) -> str:
    """Return a value as text: numbers with three significant digits, or as whole numbers from 100 up."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


COMMANDS = {"plan": plan}
