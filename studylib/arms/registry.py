"""The registry of arms. Every list of arms in the study comes from here."""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from studylib.arms.base import Arm, Image, Images
from studylib.arms.choices import choice
from studylib.arms.map import Map, MapFromPinn
from studylib.arms.map_refining import MapRefining
from studylib.arms.networks import Baseline, FineTuned, PtychoPINN
from studylib.arms.ptychi import PtyChi, PtyChiFromPinn, PtyChiRefining
from studylib.arms.ptychi_prior import PtyChiDeepPrior
from studylib.arms.unrolled import Unrolled
from studylib.design import Seeds, StudyDesign
from studylib.errors import InputError
from studylib.machine import installed
from studylib.reconstruction import Trained
from studylib.scan import Scan

BUILT_IN: tuple[Arm, ...] = (
    PtychoPINN(), Baseline(), PtyChi(), Map(), Unrolled(), MapFromPinn(), FineTuned(), PtyChiFromPinn(),
    PtyChiRefining(), MapRefining(), PtyChiDeepPrior(),
)  # fmt: skip
"""The arms of this package. Their order is that of every list of arms."""
USUAL = ("pinn", "baseline", "ptychi", "map", "pinn_map")
"""Keys of the arms of a run that names none."""
CONTRACT = ("PtychoPINN", "Baseline", "PtyChi")
"""Names of the arms that the delta files of the study compare."""
NUMERICAL = ("keras", "torch", "tensorflow", "ptychi", "numpy", "scipy")
"""Libraries whose version may change an image."""
GROUP = "studylib.arms"
"""Entry-point group in which other packages offer their arms."""
HERE = Path(__file__).resolve().parent
NO_ALGORITHM = {"registry", "choices"}
"""Modules of this package that change no image: the list of arms, and the options, which a run records anyway."""
KEY = re.compile(r"[a-z][a-z0-9_]*")
"""Form of a key."""


@cache
def arms() -> dict[str, Arm]:
    """Return every arm by its key: the built-in ones, then those of installed packages (entry points `studylib.arms`).

    Raises
    ------
    InputError
        The arm of a package is no `Arm`, its key or name is taken, or its key cannot be used in a path.
    """
    found = {arm.key: arm for arm in BUILT_IN}
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        remedy = f"correct or uninstall the package that gives {entry.value}"
        try:
            arm = entry.load()()
        except Exception as error:  # whatever it is, it is in the package, and every command imports it
            raise InputError(
                "arm", entry.value, f"an arm that can be loaded ({type(error).__name__}: {error})", remedy
            ) from error
        if not isinstance(arm, Arm) or not KEY.fullmatch(arm.key):
            raise InputError("arm", entry.value, "a subclass of studylib.arms.base.Arm with a lower-case key", remedy)
        if arm.key in found or arm.name in {a.name for a in found.values()}:
            raise InputError("arm", arm.name, "a key and a name that no other arm has", remedy)
        found[arm.key] = arm
    return found


def arm(key: str) -> Arm:
    """Return the arm with a given key.

    Raises
    ------
    InputError
        There is no arm with this key.
    """
    if key not in arms():
        names = {name.lower(): k for k, a in arms().items() for name in (k, a.name)}
        near = [names[word] for word in get_close_matches(str(key).lower(), names, n=1)]
        known = "give --arms " + " ".join(USUAL) + ' (make: ARMS="...")'
        remedy = f"did you mean {near[0]}?" if near else known
        raise InputError("arm", key, "one of " + ", ".join(arms()), remedy)
    return arms()[key]


def check_arms(keys: Any) -> tuple[str, ...]:
    """Return the keys of the given arms and of the arms that they start from, in the order of the registry.

    Parameters
    ----------
    keys
        Keys, as an iterable of words or as one string of words.

    Raises
    ------
    InputError
        A key is unknown, or there is none.
    """
    words = keys.split() if isinstance(keys, str) else list(keys)
    if not words:
        raise InputError("arms", words, "at least one of " + ", ".join(arms()), "give --arms map")
    wanted = {arm(word).key for word in words}
    # An arm that starts from another one brings it into the run.
    for word in tuple(wanted):
        wanted |= set(needed(word))
    return tuple(key for key in arms() if key in wanted)


def needed(key: str) -> tuple[str, ...]:
    """Return the keys of the arms that must have run, or been trained, before this one.

    Raises
    ------
    InputError
        The key is unknown.
    """
    found = arm(key)
    before = [*found.after, *([found.trained_by] if found.trained_by else [])]
    # A dict keeps the order and drops repetitions.
    return tuple(dict.fromkeys([k for b in before for k in (*needed(b), b)]))


def training_of(key: str) -> str:
    """Return the key of the arm whose training this one loads; empty if it needs none."""
    found = arm(key)
    return key if found.trains else found.trained_by


@cache
def algorithm(key: str) -> str:
    """Return a hash that identifies the code of an arm, so that images made by different code can be told apart.

    It covers the source of the arm's class and its base classes, of the arms that it starts from, and of the packages
    physics and learn, of the modules that arms share, and the versions of the numerical libraries. Two images of one
    arm with different hashes are never put into one table.

    Parameters
    ----------
    key
        Key of the arm.

    Returns
    -------
    16 hexadecimal digits
    """
    kinds = [kind for k in (*needed(key), key) for kind in type(arm(k)).__mro__]
    sources = {path for package in ("physics", "learn") for path in (HERE.parent / package).glob("*.py")}
    sources.add(HERE.parent / "scan.py")
    sources |= _modules_of({Path(inspect.getfile(kind)) for kind in kinds if issubclass(kind, Arm)})
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.read_bytes())
    for name, number in installed(NUMERICAL).items():
        digest.update(f"{name} {number}".encode())
    return digest.hexdigest()[:16]


def _modules_of(more: set[Path]) -> set[Path]:
    """Return modules of arms, and the modules beside this one that they import, directly or not."""
    found, package = set[Path](), f"{__package__}."
    while more:
        path = more.pop()
        found.add(path)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        beside = {name.removeprefix(package) for name in names if name.startswith(package)}
        more |= {HERE / f"{name}.py" for name in beside - NO_ALGORITHM} - found
    return found


def about(key: str) -> str:
    """Return what an arm is in one sentence: the first line of the docstring of its class; empty without one."""
    return (type(arm(key)).__doc__ or "").strip().partition("\n")[0]


def options_owner(key: str) -> str:
    """Return the key of the arm whose chosen options this arm uses: its own key, or that of `options_of`."""
    return arm(key).options_of or key


def check_select(keys: Any, run: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys of the arms whose options are chosen on the scan itself, in the order of the registry.

    Parameters
    ----------
    keys
        Keys, an iterable of words.
    run
        Keys of the arms of the run.

    Raises
    ------
    InputError
        A key names no arm of the run, an arm that has to be trained, or one that uses the options of another arm.
    """
    owners = {options_owner(key) for key in run}
    for key in keys:
        if (owner := options_owner(key)) != key:
            raise InputError("select", key, f"{owner}, whose options it takes over", f"give --select {owner}")
        if key not in owners:
            raise InputError("select", key, "an arm of the run", f"give --arms {' '.join((*run, key))}")
        if training_of(key) or not arm(key).candidates(None):
            trained = bool(training_of(key))
            expected = f"an arm that {'fits a scan without training' if trained else 'has candidates'}"
            why = (
                "make selection chooses options of a network"
                if trained
                else f"{arm(key).name} has no method candidates"
            )
            raise InputError("select", key, expected, f"leave it out: {why}")
    return tuple(key for key in arms() if key in keys)


def check_one_training(keys: Any, run: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys of the arms that are trained once for all doses of a view, in the order of the registry.

    Parameters
    ----------
    keys
        Keys, an iterable of words.
    run
        Keys of the arms of the study.

    Raises
    ------
    InputError
        A key names an arm that the study does not train.
    """
    trained = {training_of(key) for key in run} - {""}
    for key in keys:
        if key not in trained:
            expected = f"an arm that the study trains ({', '.join(sorted(trained)) or 'it trains none'})"
            raise InputError("one-training", key, expected, "give --one-training unrolled with --arms map unrolled")
    return tuple(key for key in arms() if key in keys)


def settings_of(key: str, design: StudyDesign, scan: Scan, own: dict[str, Any] | None = None) -> tuple[Any, str]:
    """Return the settings of an arm for a scan, and their origin in words.

    The settings are the defaults of the arm. Values chosen by split counts for the nearest condition replace them, and
    values from the profile of the design replace those.

    Parameters
    ----------
    key
        Key of the arm.
    design
        Design of the hub.
    scan
        Scan whose sample, probe, view and fluence decide which row of the table of choices is the nearest.
    own
        Options chosen on the scan itself, as `arm_stages.select` writes them; they take the place of the table.

    Returns
    -------
    settings
        Settings of the class that the arm declares.
    words
        Where they come from.
    """
    found = arm(key)
    if own is None:
        chosen, told = choice(options_owner(key), scan)
    else:
        chosen, told = own["settings"], f"chosen by split counts of {own['of']} from {len(own['tried'])} candidates"
    # The profile has the last word: it makes smoke runs short.
    changed = design.arms.get(key, {})
    words = f"{told}; the profile {design.profile} sets {', '.join(changed)}" if changed else told
    return found.settings(**(chosen | changed)), words


def images_for(key: str, design: StudyDesign, own: Mapping[str, dict[str, Any]] | None = None) -> Images:
    """Return the function that makes, from any scan, the images that the training of an arm starts from.

    Parameters
    ----------
    key
        Key of an arm that trains on images of the arms named in its `after`.
    design
        Design of the hub.
    own
        Options chosen on the scan itself, as for `settings_of`, by the key of the arm that owns the options.

    Returns
    -------
    Function from a scan to its images, (rows, columns) complex64 by arm key

    Raises
    ------
    InputError
        One of those arms has to be trained itself.
    """
    for before in (b for a in arm(key).after for b in (*needed(a), a)):
        if training_of(before):
            expected = "arms without a training, which can make an image of a share of the counts at once"
            raise InputError(f"after of {key}", before, expected, "name such an arm")

    def images(scan: Scan, wanted: tuple[str, ...] = arm(key).after) -> dict[str, Image]:
        """Return the images of the wanted arms, each made from the images that it starts from in turn."""
        made = {}
        for k in wanted:
            settings, _ = settings_of(k, design, scan, (own or {}).get(options_owner(k)))
            starts = images(scan, arm(k).after) if arm(k).after else None
            made[k] = arm(k).reconstruct(scan, settings, design.seeds, None, starts).object
        return made

    return images


def train(
    key: str,
    scan: Scan,
    patches: Image | None,
    settings: Any,
    design: StudyDesign,
    seeds: Seeds,
    own: Mapping[str, dict[str, Any]] | None = None,
) -> Trained:
    """Train an arm on a scan, with the function that makes the images from which the arm starts.

    Parameters
    ----------
    key
        Key of an arm that trains.
    scan
        Training half of a view.
    patches : (positions, N, N) complex64
        True object patches; None for an arm that does not need the truth.
    settings
        Settings of the class that the arm declares.
    design
        Design of the hub.
    seeds
        Seeds of the design, possibly with another seed for the training.
    own
        As for `images_for`.

    Raises
    ------
    StageError
        The arm does not train, or the training diverged.
    InputError
        The arm starts from an arm that has to be trained itself.
    """
    found = arm(key)
    more = {"images": images_for(key, design, own)} if found.after else {}
    return found.train(scan, patches, settings, seeds, **more)
