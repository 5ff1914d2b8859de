"""From a trained network to an object: patch by patch, then stitched on the absolute canvas."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from studylib.dataset import Scan
from studylib.errors import InputError, StageError
from studylib.hub import write_with
from studylib.learn import networks  # noqa: F401  registers the layers for loading


def predict(network: keras.Model, scan: Scan, batch: int = 64) -> NDArray[np.complex64]:
    """Return the object patches, (positions, N, N) complex64; the same whatever the batch.

    Raises
    ------
    StageError
        The network was trained at another dose: its input scale is not the scan's.
    """
    rescaling = next(layer for layer in network.layers if isinstance(layer, keras.layers.Rescaling))
    if not np.isclose(1 / rescaling.scale, scan.scale, rtol=1e-5):
        raise StageError(
            f"network was trained at intensity scale {1 / rescaling.scale:.6g}, the data set has {scan.scale:.6g}"
        )
    out = np.empty(scan.diffraction.shape, dtype=np.complex64)
    for start in range(0, len(out), batch):
        part = slice(start, start + batch)
        amplitude, phase = network.predict_on_batch(np.sqrt(scan.take(np.arange(len(out))[part]).counts))
        out[part] = np.asarray(amplitude) * np.exp(1j * np.asarray(phase))
    if not np.isfinite(out).all():
        raise StageError("the network's patches hold NaN or infinity")
    return out


def save_network(network: keras.Model, path: Path) -> Path:
    """Write a .keras file, whole or not at all, and refuse one that does not give the same output."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "model.keras"
        network.save(temporary)
        again = keras.saving.load_model(temporary, compile=False)
        sample = np.ones((1, *network.input_shape[1:]), dtype=np.float32)
        for a, b in zip(network.predict_on_batch(sample), again.predict_on_batch(sample), strict=True):
            if not np.allclose(a, b, atol=1e-5):
                raise StageError("the saved network gives another output than the trained one")
        return write_with(path, lambda file: file.write(temporary.read_bytes()))


def load_network(path: Path, remedy: str) -> keras.Model:
    """Read a network.

    Raises
    ------
    InputError
        Absent or not a Keras file.
    """
    if not path.is_file():
        raise InputError("model", path.name, "a trained network", remedy)
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, OSError) as error:
        raise InputError("model", path.name, f"a readable Keras file ({error})", remedy) from error
