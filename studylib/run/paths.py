"""Hub-relative POSIX paths of the files that stages read and write (TYPE-PATH-001)."""

from __future__ import annotations

PROBE = "data/base/probe.npz"
"""Probe of a measured scan, refined where the refined probe explains more counts."""
SCAN = "data/base/scan.json"
"""Description of a measured scan, and how its probe was refined."""
HALF = "data/base/half.npz"
"""Image of the half of a measured scan's counts from which no exposure is drawn."""
CEILING = "data/base/ceiling.json"
"""Agreement of the images of two halves of a measured scan's counts, and of two halves of its positions."""

LIMIT = "limit.json"
"""Name of the file of what the photons allow, in the folder of a comparison."""


def phase_c(dose: int, split: str) -> str:
    """Return the path of the data set that phase C simulates, or thins from a measured scan.

    Parameters
    ----------
    dose
        Mean photons per pattern.
    split
        train or test.

    Returns
    -------
    Hub-relative path of an NPZ (DATA-001)
    """
    return f"data/phase_c/dose_{dose}/{split}.npz"


def reference(dose: int) -> str:
    """Return the path of the record of how the reference of a measured scan was made."""
    return f"data/phase_c/dose_{dose}/reference.json"


def phase_d(dose: int, view: str, split: str) -> str:
    """Return the path of the data set of a view (phase D).

    Parameters
    ----------
    dose
        Mean photons per pattern.
    view
        dense or sparse.
    split
        train or test.

    Returns
    -------
    Hub-relative path of an NPZ (DATA-001)
    """
    return f"data/phase_d/dose_{dose}/{view}/{split}.npz"


def overlap_metrics(dose: int, view: str) -> str:
    """Return the path of the overlap metrics of a view, both splits in one file.

    Parameters
    ----------
    dose
        Mean photons per pattern.
    view
        dense or sparse.

    Returns
    -------
    Hub-relative path of a JSON file
    """
    return f"data/phase_d/dose_{dose}/{view}/overlap_metrics.json"


def phase_e(dose: int, view: str, key: str) -> str:
    """Return the folder of a trained arm (phase E).

    Parameters
    ----------
    dose
        Mean photons per pattern.
    view
        dense or sparse.
    key
        Key of the arm.

    Returns
    -------
    Hub-relative path of a folder

    Notes
    -----
    The two networks of the original study, Baseline and PtychoPINN, keep the folder names of that study.
    """
    # gs1 and gs2 stand for gridsize 1 and 2: groups of one pattern and of 2 x 2 patterns.
    branch = {"baseline": f"baseline/gs1/{view}", "pinn": f"{view}/gs2"}.get(key, f"{view}/{key}")
    return f"data/phase_e/dose_{dose}/{branch}"


def phase_f(dose: int, view: str, split: str, key: str) -> str:
    """Return the path of an arm's reconstruction of a split (phase F).

    Parameters
    ----------
    dose
        Mean photons per pattern.
    view
        dense or sparse.
    split
        train or test.
    key
        Key of the arm.

    Returns
    -------
    Hub-relative path of an NPZ
    """
    return f"data/phase_f/dose_{dose}/{view}/{split}/{key}/reconstruction.npz"


def stamp(stage: str) -> str:
    """Return the path of the stamp that a finished stage leaves."""
    return f"analysis/stages/{stage}.json"


def choice(dose: int, view: str, key: str) -> str:
    """Return the path of the options of an arm that 03_select chose on the scan itself.

    Parameters
    ----------
    dose
        Mean photons per pattern.
    view
        dense or sparse.
    key
        Key of the arm.

    Returns
    -------
    Hub-relative path of a JSON file
    """
    return f"analysis/dose_{dose}/{view}/choice_{key}.json"


def uncertainty(key: str, ending: str = "json") -> str:
    """Return the name of one of the files about an arm's error map.

    Parameters
    ----------
    key
        Key of the arm.
    ending
        json: what the map covers; npz: the map itself; png: its picture.

    Returns
    -------
    Name of a file in the folder of a comparison
    """
    return f"uncertainty_{key}.{ending}"


def comparison(dose: int, view: str, split: str) -> str:
    """Return the folder of a comparison (phase G).

    Parameters
    ----------
    dose
        Mean photons per pattern.
    view
        dense or sparse.
    split
        train or test.

    Returns
    -------
    Hub-relative path of a folder
    """
    return f"analysis/dose_{dose}/{view}/{split}"
