"""How good input is spoiled: bytes, arrays of an archive, values of a JSON document."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from contextlib import suppress
from typing import Any

import numpy as np
from hypothesis import strategies as st

LARGEST = 1 << 16
"""Bytes that are added at the most."""
NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 10**400, 0.5, 1e-300, 1e300, float("nan"), float("inf"), -0.0)
VALUES: tuple[Any, ...] = (
    None, True, False, "", "x", "../../etc", "1", "nan", "\u0661\u0662", "\x00", "\ud800", "<b>", [], {}, [[]], [None],
    {"": None}, [[1, 2], [3]], ["a"] * 5, *NUMBERS,
)  # fmt: skip
"""What is put in place of a value of JSON."""
KINDS = ("<f4", "<f8", ">f8", "<c8", "<c16", "<u2", "<i8", "|b1", "<U3", "|S2", "<M8[s]", "<f2", "<c8", "|V4", "<u8")
SHAPES = ((), (0,), (1,), (24,), (23,), (32, 32), (0, 32), (24, 32, 32), (32, 32, 24), (1, 1, 1, 1, 2), (160, 176))

edits = st.lists(
    st.tuples(st.sampled_from(("flip", "set", "cut", "double", "insert", "end")), st.floats(0, 1), st.integers(0, 255),
              st.integers(1, 64)),
    max_size=4,
)  # fmt: skip
"""What is done to bytes, where, with which byte, to how many."""


def spoil(content: bytes, how: list[tuple[str, float, int, int]]) -> bytes:
    """Return bytes with some edits."""
    out = bytearray(content)
    for kind, where, byte, length in how:
        at = min(int(where * len(out)), max(len(out) - 1, 0))
        if kind == "flip" and out:
            out[at] ^= 1 << byte % 8
        elif kind == "set":
            out[at : at + length] = bytes([byte]) * min(length, len(out) - at)
        elif kind == "cut":
            del out[at : at + length]
        elif kind == "double":
            out[at:at] = out[at : at + length]
        elif kind == "insert" and len(out) < len(content) + LARGEST:
            out[at:at] = bytes([byte]) * length
        elif kind == "end":
            del out[at:]
    return bytes(out)


@st.composite
def arrays(draw: Any) -> np.ndarray:
    """Return a small array of any kind, full of one number, or of zeros but for one."""
    kind, shape, number = draw(st.sampled_from(KINDS)), draw(st.sampled_from(SHAPES)), draw(st.sampled_from(NUMBERS))
    array = np.zeros(shape, kind)
    if array.dtype.kind in "fciub" and array.size:
        with np.errstate(all="ignore"), suppress(OverflowError, ValueError):
            array[() if draw(st.booleans()) else (0,) * array.ndim] = number
    return np.asfortranarray(array) if draw(st.booleans()) else array


def npy(array: np.ndarray) -> bytes:
    """Return an array as a .npy file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()


@st.composite
def archives(draw: Any, good: dict[str, np.ndarray]) -> bytes:
    """Return an NPZ: some arrays replaced, left out, or their bytes spoiled; then the archive's own bytes."""
    members = {name: npy(array) for name, array in good.items()}
    for name in draw(st.lists(st.sampled_from(sorted(good)), max_size=3)):
        what = draw(st.sampled_from(("array", "bytes", "none", "text")))
        if what == "array":
            members[name] = npy(draw(arrays()))
        elif what == "bytes":
            members[name] = spoil(members.get(name, b""), draw(edits))
        elif what == "text":
            members[name] = npy(np.array(draw(documents({"schema": "DATA-001", "intensity_scale": 1.0}))))
        else:
            members.pop(name, None)
    file, packed = io.BytesIO(), draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))
    with zipfile.ZipFile(file, "w", packed) as out:
        for name, content in members.items():
            out.writestr(f"{name}.npy", content)
    return spoil(file.getvalue(), draw(st.one_of(st.just([]), edits)))


def places(content: Any, above: tuple = ()) -> list[tuple]:
    """Return the path of every value of a JSON document."""
    found = [above] if above else []
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return found + [path for key, value in inside for path in places(value, (*above, key))]


@st.composite
def documents(draw: Any, good: Any) -> str:
    """Return JSON text: some values replaced, left out or nested, then perhaps its characters spoiled."""
    content = copy.deepcopy(good)
    for _ in range(draw(st.integers(0, 3))):
        paths = places(content)
        if not paths:
            break
        *above, key = draw(st.sampled_from(paths))
        inside = content
        for name in above:
            inside = inside[name]
        if draw(st.booleans()) or not isinstance(inside, dict):
            inside[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        else:
            del inside[key]
    text = json.dumps(content)
    if draw(st.booleans()):
        return text
    return spoil(text.encode(), draw(edits)).decode("utf-8", errors="surrogateescape")
