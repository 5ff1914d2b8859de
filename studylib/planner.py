"""Plan an experiment: which dose, step and arm give a wanted image, and how reliable that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from studylib.design import StudyDesign, check_profile
from studylib.errors import InputError
from studylib.evidence.response_schema import Response
from studylib.experiment import Experiment, allowed
from studylib.io.files import read_json, write_json
from studylib.judge.planning import Option, Reached, best, options, reached, where_of
from studylib.judge.target import Allowed, Target

DOCS = Path(__file__).resolve().parents[1] / "docs/response"
PUBLISHED = (DOCS / "leaves.json", DOCS / "loop.json")
"""Responses from which a plan is made unless others are given: the object "leaves" under the zone plate."""
DOSES = (100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0)
"""Photons per pattern at which the limit is computed."""


@dataclass(frozen=True)
class Measuring:
    """How fast an experiment collects its photons.

    Attributes
    ----------
    flux
        Photons per second on the object; None leaves measuring times out of the plan.
    overhead
        Seconds for each position in addition to its exposure.

    Raises
    ------
    InputError
        The flux is not positive and finite, or the overhead is negative or infinite.
    """

    flux: float | None = None
    overhead: float = 0.0

    def __post_init__(self) -> None:
        if self.flux is not None and not 0 < self.flux < float("inf"):
            raise InputError("flux", self.flux, "photons per second, more than 0", "give --flux 1e8")
        if not 0 <= self.overhead < float("inf"):
            raise InputError("overhead", self.overhead, "seconds for each position, 0 or more", "give --overhead 0.05")


@dataclass(frozen=True)
class Plan:
    """What was asked for, and every way to get it.

    Attributes
    ----------
    target
        What is wanted of the phase.
    options
        One for each arm and view; the option with the fewest photons comes first.
    allowed
        What the photons allow, by view.
    found
        By arm and view, how the arm performed in studies, relative to what the photons allowed there.
    like
        Object and probe of these studies.
    notes
        Remarks on what is extrapolated in all options.
    """

    target: Target
    options: list[Option]
    allowed: dict[str, list[Allowed]]
    found: dict[tuple[str, str], Reached]
    like: tuple[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """The answer in sentences."""
        chosen = best(self.options)
        if not chosen:
            return f"No arm is expected to give {self.target.words} by {DOSES[-1]:,.0f} photons per pattern."
        heads = ("the least light", "the shortest measurement")
        # The option with the least light may also be the one that is measured fastest.
        same = len(chosen) == 2 and chosen[0] == chosen[1]
        told = [(" and ".join(heads), chosen[0])] if same else list(zip(heads, chosen, strict=False))
        ways = " ".join(f"{head[0].upper()}{head[1:]}: {_words(option)}" for head, option in told)
        return f"Wanted: {self.target.words}. {ways}"

    def rows(self) -> list[dict[str, Any]]:
        """Return the options as rows of a table whose column names hold the units."""
        unit = "rad" if self.target.quantity == "mae" else "px"
        return [
            {
                "arm": o.arm, "overlap": o.view, "step, px": round(o.step, 1), "positions": o.positions,
                "photons per pattern": o.dose, "photons per pixel": o.photons, f"expected, {unit}": o.expected,
                "exposure, s": o.exposure, "measuring, s": o.measuring, "computing, s": o.seconds,
                "beyond what was measured": o.beyond,
            }
            for o in self.options
        ]  # fmt: skip

    def report(self) -> dict[str, Any]:
        """Return the plan as plain values for JSON."""
        return {
            "target": asdict(self.target), "like": list(self.like), "words": self.words, "notes": self.notes,
            "options": [asdict(o) for o in self.options],
            "allowed": {view: [asdict(a) for a in row] for view, row in self.allowed.items()},
        }  # fmt: skip


def _words(option: Option) -> str:
    """Return one option as a sentence, and in a second one what of it lies beyond the measurements."""
    times = [] if option.measuring is None else [f"{_time(option.measuring)} of measuring"]
    times.append(f"about {_time(option.seconds or 0)} of computing")
    beyond = f" Not measured there: {option.beyond}." if option.beyond else ""
    return (
        f"{option.arm} at {option.dose:,.0f} photons per pattern ({option.photons:,.3g} per pixel) with {option.view} "
        f"overlap, {option.positions:,} positions {option.step:.1f} px apart, {', '.join(times)}.{beyond}"
    )


def _time(seconds: float) -> str:
    """Return seconds as text in seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def wanted(mae: float | None, resolution: float | None) -> Target:
    """Return the target from two wishes, of which exactly one is given.

    Parameters
    ----------
    mae
        Wanted mean absolute error of the phase, rad; None or 0 when it is not wanted.
    resolution
        Wanted half period, object pixels, at which the ring correlation falls to 0.5; None or 0 when it is not wanted.

    Raises
    ------
    InputError
        Both are given, or neither, or the value is out of range.
    """
    if bool(mae) == bool(resolution):
        raise InputError("mae, resolution", (mae, resolution), "one of the two", "give --mae 0.05 or --resolution 3")
    return Target("mae", mae) if mae else Target("resolution", resolution or 0.0)


def check_out(path: str) -> str:
    """Return the file name of a plan, which may be empty.

    Raises
    ------
    InputError
        The name does not end with .json.
    """
    if path and not path.endswith(".json"):
        raise InputError("out", path, "a name that ends with .json", "give --out plan.json")
    return path


def write(made: Plan, path: str) -> Path:
    """Write a plan as JSON.

    Parameters
    ----------
    made
        Result of `make_plan`.
    path
        File to write, ending with .json.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        The name does not end with .json.
    """
    return write_json(check_out(path), made.report())


def read_responses(paths: Sequence[str | Path] = ()) -> dict[str, Any]:
    """Read response.json of one or several studies.

    Parameters
    ----------
    paths
        The files; when empty, the published ones of the object "leaves" under the zone plate.

    Returns
    -------
    dict
        Rows and limits of all studies, and their profile. Where two studies have the same arm in the same condition,
        the later one counts.

    Raises
    ------
    InputError
        A file is absent or is not a response, or the studies have different profiles.
    """
    rows: dict[tuple[Any, ...], Any] = {}
    limits: dict[tuple[Any, ...], Any] = {}
    profile = ""
    for told in map(_read_response, paths or PUBLISHED):
        mine = check_profile(told["study"].get("profile"))
        profile = profile or mine
        # Computing times are scaled by the pattern size of one profile, so profiles cannot be mixed.
        if mine != profile:
            raise InputError("response", [Path(p).name for p in paths], "studies of one profile", "give one of them")
        for row in told["rows"]:
            rows[*where_of(row), row["arm"]] = row
        for limit in told["limits"]:
            limits[where_of(limit)] = limit
    return {"rows": list(rows.values()), "limits": list(limits.values()), "study": {"profile": profile}}


def _read_response(path: str | Path) -> dict[str, Any]:
    """Return the content of one response.json as plain values.

    Raises
    ------
    InputError
        The file is absent or is not a response; the message names its first fault.
    """
    remedy = "give --response reports/response_laptop/analysis/response.json of a study (make response)"
    content = read_json(path, remedy)
    try:
        return Response.model_validate(content).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError("response", Path(path).name, f"a response.json ({where}: {first['msg']})", remedy) from error


def make_plan(
    experiment: Experiment,
    target: Target,
    response: Mapping[str, Any],
    like: tuple[str, str] | None = None,
    measuring: Measuring = Measuring(),
    doses: tuple[float, ...] = DOSES,
) -> Plan:
    """Plan an experiment.

    What an arm will reach is estimated as what the photons of this experiment allow, times the factor by which the arm
    missed that limit where it was measured.

    Parameters
    ----------
    experiment
        Object, probe and field.
    target
        What is wanted of the phase.
    response
        What arms reached in studies, with the limits of these, as `read_responses` returns it.
    like
        Object and probe of the study whose conditions are used. None takes those of the experiment if the study has
        them, otherwise the first of the study.
    measuring
        Flux and overhead.
    doses
        Photons per pattern at which the limit is computed, in increasing order.

    Returns
    -------
    Plan
        The options of every arm and view that the study has.

    Raises
    ------
    InputError
        The response has no limits, or does not have the object and probe `like`.
    StageError
        The object has no limit.
    """
    source = experiment.source
    kinds = [(x["sample"], x["probe"]) for x in response["limits"]]
    mine = (source.sample, source.probe_kind)
    like = like or (mine if mine in kinds or not kinds else kinds[0])
    found = reached(response, target, like)
    views = tuple(dict.fromkeys(view for _, view in found))
    allows = allowed(experiment, views, doses)
    # Pixels per pattern where the computing times were measured.
    pixels = StudyDesign.for_profile(response["study"]["profile"]).sample.n_pixels ** 2
    geometry = {view: experiment.geometry(view, pixels) for view in views}
    made = options(allows, found, target, geometry, measuring.flux, measuring.overhead)
    notes = []
    if mine != like:
        notes.append(f"the factors between arms and limit were measured with {like[0]} under {like[1]}, not here")
    if geometry[views[0]].pixels != pixels:
        notes.append(f"computing times were measured with patterns of {pixels:,} px and are scaled by their size")
    if experiment.turns > 1:
        notes.append(
            f"the phase spans {experiment.turns:.1f} turns: errors of such an object were several times larger than "
            "expected with few photons (docs/planning.md)"
        )
    return Plan(target, made, allows, found, like, notes)
