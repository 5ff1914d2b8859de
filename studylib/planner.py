"""A plan of an experiment: which dose, step and arm for a wanted image, and how well that is known."""

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
"""The responses that a plan is made from unless others are given: leaves under the zone plate."""
DOSES = (100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0)
"""Photons per pattern at which the limit is computed."""


@dataclass(frozen=True)
class Measuring:
    """How an experiment counts its photons.

    Attributes
    ----------
    flux
        Photons per second on the object; None: times of the measurement are not told.
    overhead
        Seconds of each position beside its exposure.
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
    """What was asked, and every way to get it.

    Attributes
    ----------
    options
        One for each arm and view, the least photons first.
    allowed
        What photons allow, by view.
    found
        How the arms did beside that where they were measured, by arm and view.
    like
        Object and probe with which they were measured.
    notes
        What is extrapolated in all options.
    """

    target: Target
    options: list[Option]
    allowed: dict[str, list[Allowed]]
    found: dict[tuple[str, str], Reached]
    like: tuple[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """Return the answer in sentences."""
        chosen = best(self.options)
        if not chosen:
            return f"No arm is expected to give {self.target.words} by {DOSES[-1]:,.0f} photons per pattern."
        heads = ("the least light", "the shortest measurement")
        same = len(chosen) == 2 and chosen[0] == chosen[1]
        told = [(" and ".join(heads), chosen[0])] if same else list(zip(heads, chosen, strict=False))
        ways = " ".join(f"{head[0].upper()}{head[1:]}: {_words(option)}" for head, option in told)
        return f"Wanted: {self.target.words}. {ways}"

    def rows(self) -> list[dict[str, Any]]:
        """Return the options as rows of a table, with the units in the names."""
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
        """Return everything as JSON."""
        return {
            "target": asdict(self.target), "like": list(self.like), "words": self.words, "notes": self.notes,
            "options": [asdict(o) for o in self.options],
            "allowed": {view: [asdict(a) for a in row] for view, row in self.allowed.items()},
        }  # fmt: skip


def _words(option: Option) -> str:
    times = [] if option.measuring is None else [f"{_time(option.measuring)} of measuring"]
    times.append(f"about {_time(option.seconds or 0)} of computing")
    beyond = f" Not measured there: {option.beyond}." if option.beyond else ""
    return (
        f"{option.arm} at {option.dose:,.0f} photons per pattern ({option.photons:,.3g} per pixel) with {option.view} "
        f"overlap, {option.positions:,} positions {option.step:.1f} px apart, {', '.join(times)}.{beyond}"
    )


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def wanted(mae: float | None, resolution: float | None) -> Target:
    """Return the target of two wishes, one of which is empty.

    Raises
    ------
    InputError
        Both, or neither.
    """
    if bool(mae) == bool(resolution):
        raise InputError("mae, resolution", (mae, resolution), "one of the two", "give --mae 0.05 or --resolution 3")
    return Target("mae", mae) if mae else Target("resolution", resolution or 0.0)


def check_out(path: str) -> str:
    """Return the name of a plan's file, which may be empty.

    Raises
    ------
    InputError
        It does not end with .json.
    """
    if path and not path.endswith(".json"):
        raise InputError("out", path, "a name that ends with .json", "give --out plan.json")
    return path


def write(made: Plan, path: str) -> Path:
    """Write a plan as JSON."""
    return write_json(check_out(path), made.report())


def read_responses(paths: Sequence[str | Path] = ()) -> dict[str, Any]:
    """Read response.json of studies; none are the published ones of leaves under the zone plate.

    Returns
    -------
    Rows and limits of all; where two studies have the same arm in the same condition, those of the later one

    Raises
    ------
    InputError
        One is absent, or is no response.
    """
    rows: dict[tuple[Any, ...], Any] = {}
    limits: dict[tuple[Any, ...], Any] = {}
    profile = ""
    for told in map(_read_response, paths or PUBLISHED):
        mine = check_profile(told["study"].get("profile"))
        profile = profile or mine
        if mine != profile:
            raise InputError("response", [Path(p).name for p in paths], "studies of one profile", "give one of them")
        for row in told["rows"]:
            rows[*where_of(row), row["arm"]] = row
        for limit in told["limits"]:
            limits[where_of(limit)] = limit
    return {"rows": list(rows.values()), "limits": list(limits.values()), "study": {"profile": profile}}


def _read_response(path: str | Path) -> dict[str, Any]:
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

    Parameters
    ----------
    experiment
        Object, probe and field.
    target
        What is wanted.
    response
        What arms reached in studies, with their limits, as `read_responses` gives them.
    like
        Object and probe of the study whose conditions are taken; None: those of the experiment where the study has
        them, otherwise the first.
    measuring
        Flux and overhead.
    doses
        Photons per pattern at which the limit is computed, rising.

    Raises
    ------
    InputError
        The response has no limits, or not what it is to be like.
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
