"""analysis/checksums.sha256: the SHA-256 of every file of a finished hub, as sha256sum writes it.

It tells that a file is not what the run left. It is no defence against somebody who rewrites a file and this list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from studylib.io.files import write_text
from studylib.run.hub import FOLDERS, LOG, Hub
from studylib.run.provenance import sha256

NAME = "analysis/checksums.sha256"
GROWS = f"# {LOG} grows when the run is started again; signed off at bytes "
"""Of the log of the run, so much was there; what a later run adds to it is not held against it."""


def sign(hub: Hub) -> Path:
    """Write the list; the last thing that a run does to a hub."""
    log = hub / LOG
    head = [f"{GROWS}{log.stat().st_size}"] if log.is_file() else []
    return write_text(hub / NAME, "\n".join([*head, *(f"{sha256(hub / name)}  {name}" for name in names(hub)), ""]))


def names(hub: Hub) -> list[str]:
    """Return the files of a hub but this list and hidden ones, hub-relative and sorted."""
    files = (p for folder in FOLDERS for p in (hub / folder).rglob("*") if p.is_file())
    return sorted({hub.relative(p) for p in files if not p.name.startswith(".")} - {NAME})


def damaged(hub: Hub) -> Iterator[str | None]:
    """Yield for each file of the list what is wrong with it, None where nothing is."""
    if not (hub / NAME).is_file():
        yield f"{NAME} is missing: the run did not end, or the list was deleted"
        return
    signed = None
    *lines, rest = (hub / NAME).read_bytes().decode("utf-8", errors="replace").split("\n")
    yield f"{NAME} is cut" if rest else None
    for line in lines:
        if line.startswith("#"):
            told = line.removeprefix(GROWS)
            signed = int(told) if told.isascii() and told.isdecimal() else None
            yield None if signed is not None else f"{NAME} holds a line that no run writes"
            continue
        digest, _, name = line.partition("  ")
        path = hub / name
        if len(digest) != 64 or not name or ".." in path.parts:
            yield f"{NAME} holds a line that no run writes"
        elif not path.is_file():
            yield f"{name} is missing"
        else:
            found = _sha256_of_start(path, signed) if name == LOG else sha256(path)
            yield None if found == digest else f"{name} is not what the run left"
    if not signed and (hub / LOG).is_file():
        yield f"{NAME} does not say where {LOG} ended"


def _sha256_of_start(path: Path, size: int | None) -> str:
    with path.open("rb") as file:
        return hashlib.sha256(file.read(-1 if size is None else size)).hexdigest()
