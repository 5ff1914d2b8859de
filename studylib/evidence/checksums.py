"""analysis/checksums.sha256: the SHA-256 of every file of a finished hub, in the format of `sha256sum`.

The list shows whether a file still is what the run left. It is no defence against somebody who rewrites both a file
and this list.
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
"""Comment in the list: the log of the run had this many bytes when the hub was signed. Only these bytes are checked,
because a later run appends to the log."""


def sign(hub: Hub) -> Path:
    """Write the list of hashes.

    It is the last thing that a run does to a hub: a file that changes afterwards counts as damaged.
    """
    log = hub / LOG
    head = [f"{GROWS}{log.stat().st_size}"] if log.is_file() else []
    return write_text(hub / NAME, "\n".join([*head, *(f"{sha256(hub / name)}  {name}" for name in names(hub)), ""]))


def names(hub: Hub) -> list[str]:
    """Return the hub-relative names of all files of a hub, sorted, without hidden files and without the list itself."""
    files = (p for folder in FOLDERS for p in (hub / folder).rglob("*") if p.is_file())
    return sorted({hub.relative(p) for p in files if not p.name.startswith(".")} - {NAME})


def damaged(hub: Hub) -> Iterator[str | None]:
    """Check every file of the list against its hash.

    Parameters
    ----------
    hub
        A finished hub.

    Yields
    ------
    str or None
        One item for each check: what is wrong, or None when the check passes.
    """
    if not (hub / NAME).is_file():
        yield f"{NAME} is missing: the run did not end, or the list was deleted"
        return
    signed = None
    *lines, rest = (hub / NAME).read_bytes().decode("utf-8", errors="replace").split("\n")
    # A complete list ends with a newline, so that nothing follows the last line.
    yield f"{NAME} is cut" if rest else None
    for line in lines:
        if line.startswith("#"):
            # The only comment that a run writes is the signed length of its log.
            told = line.removeprefix(GROWS)
            signed = int(told) if told.isascii() and told.isdecimal() else None
            yield None if signed is not None else f"{NAME} holds a line that no run writes"
            continue
        digest, _, name = line.partition("  ")
        path = hub / name
        # A name with ".." would lead out of the hub.
        if len(digest) != 64 or not name or ".." in path.parts:
            yield f"{NAME} holds a line that no run writes"
        elif not path.is_file():
            yield f"{name} is missing"
        else:
            # What a later run appended to the log is not covered by the hash.
            found = _sha256_of_start(path, signed) if name == LOG else sha256(path)
            yield None if found == digest else f"{name} is not what the run left"
    if not signed and (hub / LOG).is_file():
        yield f"{NAME} does not say where {LOG} ended"


def _sha256_of_start(path: Path, size: int | None) -> str:
    """Return the SHA-256 of the first `size` bytes of a file, or of the whole file when `size` is None."""
    with path.open("rb") as file:
        return hashlib.sha256(file.read(-1 if size is None else size)).hexdigest()
