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
"""Remedy in error messages."""
FIXED = ("study", "profile", "replicate", "arms", "doses", "views", "splits")
"""Fields of the design that belong to the plan of a run, and that a change therefore cannot set."""

Changes = dict[str, Any]
"""Values by dotted name, such as `map.tv` or `sample.scan_step`."""


def read_changes(words: Iterable[str] = (), file: str | Path = "") -> Changes:
    """Return the changes from a file and from the command line; the command line takes precedence.

    Parameters
    ----------
    words
        Words `name=value`. A value that is JSON (`0.4`, `true`, `[1, 2]`) is read as JSON, any other as text.
    file
        TOML file; empty for none.

    Returns
    -------
    Changes
        Values by dotted name. The names are not checked here.

    Raises
    ------
    InputError
        A word has no `=`, or the file cannot be read.

    Examples
    --------
    >>> read_changes(["map.tv=0.4", "pinn.steps=3000"])
    {'map.tv': 0.4, 'pinn.steps': 3000}
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
    """Return nested tables as one dictionary with dotted names.

    Parameters
    ----------
    content
        Nested tables of a TOML file.
    above
        Dotted name of the table that holds `content`, with a final dot.
    """
    flat: Changes = {}
    for name, value in content.items():
        flat |= _flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return flat


def words_of(changes: Mapping[str, Any]) -> tuple[str, ...]:
    """Return changes as words `name=value` of a command line, with values in JSON."""
    return tuple(f"{name}={json.dumps(value)}" for name, value in changes.items())


def changed(design: StudyDesign, changes: Mapping[str, Any]) -> StudyDesign:
    """Return the design with changed settings.

    Parameters
    ----------
    design
        Design of the profile.
    changes
        By dotted name: a setting of an arm (`map.tv`), or one of the design itself (`sample.scan_step`).

    Returns
    -------
    StudyDesign
        A new design. Every value is validated, the settings of the arms too.

    Raises
    ------
    InputError
        No arm and no part of the design has that name, or the value is not accepted.
    """
    content = design.model_dump(mode="json")
    for name, value in changes.items():
        part, _, setting = name.partition(".")
        if part in arms():
            # A setting of an arm may be nested; its first part must be a field of the arm's settings.
            _known(name, setting.partition(".")[0], arm(part).settings.model_fields)
            _put(content["arms"].setdefault(part, {}), setting, value)
        elif setting:
            # Only parts of the design that are models themselves, such as `sample` and `seeds`, have settings.
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
    """Return a design from plain values, and check the settings of its arms too.

    Raises
    ------
    pydantic.ValidationError
        A field does not exist, or a value is not accepted.
    """
    design = StudyDesign.model_validate(content)
    for key, own in design.arms.items():
        # The design stores the settings as a dictionary; only the model of the arm can check them.
        arm(key).settings(**own)
    return design


def _put(content: dict[str, Any], name: str, value: Any) -> None:
    """Set a value in a nested dictionary by its dotted name.

    Parameters
    ----------
    content
        Dictionary that is changed; missing levels are added.
    name
        Dotted name below `content`.
    value
        Plain value.
    """
    first, _, rest = name.partition(".")
    if rest:
        _put(content.setdefault(first, {}), rest, value)
    else:
        content[first] = value


def _known(name: str, setting: str, allowed: Iterable[str]) -> None:
    """Check that a setting exists.

    Parameters
    ----------
    name
        Full dotted name, for the message.
    setting
        The part of the name that is checked.
    allowed
        Names that exist.

    Raises
    ------
    InputError
        The setting does not exist.
    """
    if setting not in allowed:
        known = sorted(allowed)
        expected = f"one of {', '.join(known)}" if known else f"an arm ({', '.join(arms())}), sample.… or seeds.…"
        raise InputError("setting", name, expected, EXAMPLE)
