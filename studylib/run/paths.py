"""The hub-relative POSIX path of every file that a stage reads or writes (TYPE-PATH-001)."""

from __future__ import annotations

PROBE = "data/base/probe.npz"
"""The probe of a measured scan, refined where that explains more."""
SCAN = "data/base/scan.json"
"""What a measured scan holds, and how its probe was refined."""
HALF = "data/base/half.npz"
"""The image of the half of a measured scan's counts that no exposure is drawn from."""
CEILING = "data/base/ceiling.json"
"""How well the images of two halves of a measured scan's counts, and of its positions, agree."""

LIMIT = "limit.json"
"""What the photons allow, in the folder of a comparison."""


def phase_c(dose: int, split: str) -> str:
    """Return the simulated data set of a split."""
    return f"data/phase_c/dose_{dose}/{split}.npz"


def reference(dose: int) -> str:
    """Return what tells how the reference of a measured scan was made."""
    return f"data/phase_c/dose_{dose}/reference.json"


def phase_d(dose: int, view: str, split: str) -> str:
    """Return the data set of a view."""
    return f"data/phase_d/dose_{dose}/{view}/{split}.npz"


def overlap_metrics(dose: int, view: str) -> str:
    """Return the overlap metrics of a view."""
    return f"data/phase_d/dose_{dose}/{view}/overlap_metrics.json"


def phase_e(dose: int, view: str, key: str) -> str:
    """Return the folder of a trained arm; the two networks of the original study keep its names."""
    branch = {"baseline": f"baseline/gs1/{view}", "pinn": f"{view}/gs2"}.get(key, f"{view}/{key}")
    return f"data/phase_e/dose_{dose}/{branch}"


def phase_f(dose: int, view: str, split: str, key: str) -> str:
    """Return an arm's reconstruction of a split."""
    return f"data/phase_f/dose_{dose}/{view}/{split}/{key}/reconstruction.npz"


def stamp(stage: str) -> str:
    """Return the stamp of a finished stage."""
    return f"analysis/stages/{stage}.json"


def choice(dose: int, view: str, key: str) -> str:
    """Return the options of an arm that were chosen on the scan itself."""
    return f"analysis/dose_{dose}/{view}/choice_{key}.json"


def uncertainty(key: str, ending: str = "json") -> str:
    """Return what an arm's error map covers (json), the map (npz) or its picture (png), by a comparison."""
    return f"uncertainty_{key}.{ending}"


def comparison(dose: int, view: str, split: str) -> str:
    """Return the folder of a comparison."""
    return f"analysis/dose_{dose}/{view}/{split}"
