"""Settings that a user changes without editing code: `map.tv=0.4` on the command line, or a TOML file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from studylib.arms.registry import arm, arms
from studylib.design import Frozen, StudyDesign
from studylib.errors import InputError

EXAMPLE = "give map.tv=0.4, or a TOML file with a table [map] and a line tv = 0.4"
FIXED = ("study", "profile", "replicate", "arms", "doses", "views", "splits")
"""Fields of the design that the plan of a run sets, not a change."""

Changes = dict[str, Any]
"""By dotted name, such as `map.tv` or `sample.scan_step`."""


def read_changes(words: Iterable[str] = (), file: str | Path = "") -> Changes:
    """Return the changes of a file, and over them those of the command line.

    Parameters
    ----------
    words
        `name=value`; the value is JSON (`0.4`, `true`, `[1, 2]`), anything else is text.
    file
        TOML; empty for none.

    Raises
    ------
    InputError
        A word without `=`, or a file that cannot be read.
    """
    changes: Changes = {}
    if file:
        try:
            content = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError("settings", file, f"a TOML file that can be read ({error})", EXAMPLE) from error
        changes |= _flat(content)
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise InputError("set", word, "name=value", EXAMPLE)
        try:
            changes[name] = json.loads(text)
        except json.JSONDecodeError:
            changes[name] = text
    return changes


def _flat(content: Mapping[str, Any], above: str = "") -> Changes:
    """Return nested tables under dotted names."""
    flat: Changes = {}
    for name, value in content.items():
        flat |= _flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return flat


def words_of(changes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return changes as words of a command line."""
    return tuple(f"{name}={json.dumps(value)}" for name, value in changes.items())


def changed(design: StudyDesign, changes: Mapping[str, Any]) -> StudyDesign:
    """Return the design with changes of the arms' settings (`map.tv`) and of its own (`sample.scan_step`).

    Raises
    ------
    InputError
        A name that no arm and no part of the design has, or a value that is not accepted.
    """
    content = design.model_dump(mode="json")
    for name, value in changes.items():
        part, _, setting = name.partition(".")
        if part in arms():
            _known(name, setting.partition(".")[0], arm(part).settings.model_fields)
            _put(content["arms"].setdefault(part, {}), setting, value)
        elif setting:
            own = getattr(design, part, None) if part not in FIXED else None
            _known(name, setting, type(own).model_fields if isinstance(own, Frozen) else {})
            content[part][setting] = value
        else:
            _known(name, part, set(StudyDesign.model_fields) - set(FIXED))
            content[part] = value
    try:
        return validated(content)
    except ValidationError as error:
        told = error.errors()[0]
        where = ".".join(map(str, told["loc"]))
        raise InputError(f"setting {where}", told["input"], told["msg"], EXAMPLE) from error


def validated(content: Any) -> StudyDesign:
    """Return the design of plain values, the settings of its arms checked too.

    Raises
    ------
    pydantic.ValidationError
        A field that there is not, or a value that is not accepted.
    """
    design = StudyDesign.model_validate(content)
    for key, own in design.arms.items():
        arm(key).settings(**own)
    return design


def _put(content: dict[str, Any], name: str, value: Any) -> None:
    """Set a value of a nested dictionary by its dotted name."""
    first, _, rest = name.partition(".")
    if rest:
        _put(content.setdefault(first, {}), rest, value)
    else:
        content[first] = value


def _known(name: str, setting: str, allowed: Iterable[str]) -> None:
    if setting not in allowed:
        known = sorted(allowed)
        expected = f"one of {', '.join(known)}" if known else f"an arm ({', '.join(arms())}), sample.… or seeds.…"
        raise InputError("setting", name, expected, EXAMPLE)
