"""The commands for a measured scan: `inspect` and `convert`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studylib.errors import InputError

if TYPE_CHECKING:
    from studylib.measured import Measured


def _positive(text: str) -> float:
    """Return the positive number of an option; argparse reports any other text."""
    try:
        number = float(text)
    except ValueError:
        # The same message serves text that is not a number and numbers that are not positive.
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number above 0")
    return number


def add(commands: Any) -> None:
    """Add both commands to the subparsers of a parser."""
    inspected = commands.add_parser("inspect", help="tell what a measured scan holds, and what it lacks")
    inspected.add_argument("files", nargs="+", help="a scan; more files of the same scan add what the first lacks")
    inspected.add_argument("--plot", default="", help="PNG: positions, mean pattern and probe")
    inspected.add_argument("--orientation", action="store_true", help="find which way round the detector looks")
    inspected.add_argument("--json", action="store_true", help="print JSON")
    convert = commands.add_parser("convert", help="write a measured scan, or its reconstruction, in another format")
    convert.add_argument("files", nargs="+", help="what to read, as for inspect, then what to write: .npz, .cxi or .h5")
    for command in (inspected, convert):
        command.add_argument("--energy-ev", type=_positive, help="photon energy, in place of what the file says")
        command.add_argument("--distance-m", type=_positive, help="object to detector, in place of what the file says")
        command.add_argument("--detector-pixel-m", type=_positive, help="detector pitch, in place of the file's")


def _open(options: argparse.Namespace, files: list[str]) -> Measured:
    """Return the scan in one or several files, with the values of the experiment that the options give.

    Parameters
    ----------
    options
        Parsed options: photon energy, distance and detector pitch, each None when it is not given.
    files
        Files of one scan.
    """
    from studylib.io.readers import open_scan

    pitch = options.detector_pixel_m
    told = {"energy_ev": options.energy_ev, "distance_m": options.distance_m}
    return open_scan(*files).with_experiment(**told, detector_pixel_m=(pitch, pitch) if pitch else None)


def inspect(options: argparse.Namespace) -> int:
    """Print what a scan holds and what it lacks; draw it when a file was named."""
    import json

    from studylib import describe

    scan = _open(options, options.files)
    counts = describe.count(scan) if scan.patterns is not None else None
    told = describe.describe(scan, counts)
    if options.orientation:
        told |= describe.orientation(scan)
    if options.json:
        print(json.dumps(told, indent=2))
    else:
        width = max(map(len, told))
        print("\n".join(f"{name:{width}}  {text}" for name, text in told.items() if name != "notes"))
        print("\n".join(f"note: {note}" for note in told["notes"]))
    if options.plot:
        describe.plot(scan, Path(options.plot), counts)
        print(f"wrote {options.plot}")
    return 0


def convert(options: argparse.Namespace) -> int:
    """Write a scan, or its reconstruction, in the format of the last file name.

    Raises
    ------
    InputError
        Fewer than two files are named.
    """
    from studylib.io.writers import write_scan

    if len(options.files) < 2:
        raise InputError("files", options.files, "what to read, then what to write", "convert scan.cxi scan.npz")
    *read, out = options.files
    print(f"wrote {write_scan(Path(out), _open(options, read))}")
    return 0


COMMANDS = {"inspect": inspect, "convert": convert}
"""Function of each command, by name."""
