"""Files of the field's formats, written by the packages that define them: run by hand where these are installed.

    python tests/formats/make_foreign.py cdtools ptychodus ptypy

Each file holds the object, probe and scan without symmetry of tests/asymmetric.py; the patterns of the CXI file are
simulated by cdtools. Written with cdtools-py 0.3.2, ptychodus 1.7.0 and ptypy 0.9.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from studylib.physics import forward  # noqa: E402
from tests import asymmetric  # noqa: E402

ENERGY_EV, DISTANCE_M, PITCH_M = 8_800.0, 1.9, 75e-6
DOSE = 20_000
N = asymmetric.N
PIXEL_M = 1.239841984e-06 / ENERGY_EV * DISTANCE_M / (N * PITCH_M)


def scan():
    """Return the scan: 40 of its positions, so that the files stay small."""
    told = asymmetric.scan_of(DOSE)
    return told.take(np.arange(0, len(told.positions), 7))


def cdtools() -> None:
    """Write a CXI file: data set and patterns by cdtools."""
    import torch
    from cdtools.datasets import Ptycho2DDataset
    from cdtools.tools.initializers import exit_wave_geometry
    from cdtools.tools.interactions import ptycho_2D_sinc, translations_to_pixel
    from cdtools.tools.propagators import far_field

    told = scan()
    wavelength = 1.239841984e-06 / ENERGY_EV
    detector = torch.tensor([[0, -PITCH_M], [-PITCH_M, 0], [0, 0]], dtype=torch.float32)
    basis = exit_wave_geometry(detector, (N, N), wavelength, DISTANCE_M)
    corners = torch.tensor(told.positions[:, ::-1].copy() - N / 2, dtype=torch.float32)  # rows, columns
    translations = corners @ basis.T  # metres, of the optics
    np.testing.assert_allclose(translations_to_pixel(basis, translations), corners, atol=1e-3)
    probe, image = torch.tensor(told.probe), torch.tensor(asymmetric.OBJECT)
    waves = far_field(ptycho_2D_sinc(probe, image, corners, multiple_modes=False))
    expected = (waves.abs() ** 2).numpy()
    counts = np.random.default_rng(3).poisson(expected).astype(np.int32)
    made = Ptycho2DDataset(
        translations, torch.tensor(counts), wavelength=wavelength,
        detector_geometry={"distance": DISTANCE_M, "basis": detector, "corner": None},
        mask=torch.tensor(np.arange(N * N).reshape(N, N) != 5),
    )  # fmt: skip
    made.to_cxi(str(HERE / "cdtools.cxi"))


def ptychodus() -> None:
    """Write a product and its diffraction data by ptychodus."""
    from ptychodus.api.assemble import AssembledDiffractionData
    from ptychodus.api.geometry import PixelGeometry
    from ptychodus.api.io import save_diffraction_data, save_product
    from ptychodus.api.object import Object, ObjectCenter
    from ptychodus.api.probe import ProbeSequence
    from ptychodus.api.probe_positions import ProbePosition, ProbePositionSequence
    from ptychodus.api.product import Product, ProductMetadata

    told = scan()
    rows, columns = asymmetric.OBJECT.shape
    metres = (told.positions - np.array([columns, rows]) / 2) * PIXEL_M
    pixel = PixelGeometry(width_m=PIXEL_M, height_m=PIXEL_M)
    product = Product(
        metadata=ProductMetadata(
            name="asymmetric", comments="", detector_distance_m=DISTANCE_M, photon_energy_eV=ENERGY_EV,
            probe_photon_count=DOSE, exposure_time_s=0.0, mass_attenuation_m2_per_kg=0.0, tomography_angle_deg=0.0,
        ),
        probe_positions=ProbePositionSequence([ProbePosition(i, x, y) for i, (x, y) in enumerate(metres)]),
        probes=ProbeSequence(array=told.probe[None], opr_weights=None, pixel_geometry=pixel),
        object_=Object(
            array=asymmetric.OBJECT[None], pixel_geometry=pixel, center=ObjectCenter(0.0, 0.0), layer_spacing_m=()
        ),
        losses=(),
    )  # fmt: skip
    save_product(HERE / "ptychodus_product.h5", product)
    expected = np.concatenate(list(forward.expected_counts(asymmetric.OBJECT, told.probe, told.positions)))
    counts = np.random.default_rng(4).poisson(expected).astype(np.uint16)
    order = np.random.default_rng(5).permutation(len(counts))  # patterns find their positions by index
    bad = np.zeros((N, N), bool)
    bad[0, 5] = True
    pitch = PixelGeometry(width_m=PITCH_M, height_m=PITCH_M)
    data = AssembledDiffractionData(order, counts[order], pitch, bad)
    save_diffraction_data(HERE / "ptychodus_diffraction.h5", data)


def ptypy() -> None:
    """Write a reconstruction by ptypy's own writer and containers."""
    from ptypy import io
    from ptypy.core.classes import Container
    from ptypy.utils import Param

    told = scan()
    objects, probes = Container(ID="Cobj", data_type="complex"), Container(ID="Cprobe", data_type="complex")
    rows, columns = asymmetric.OBJECT.shape
    image = objects.new_storage(ID="SscanG00", shape=(1, rows, columns), psize=PIXEL_M)
    image.fill(asymmetric.OBJECT[None])
    light = probes.new_storage(ID="SscanG00", shape=(1, N, N), psize=PIXEL_M)
    light.fill(told.probe[None])
    origin = np.asarray(image.origin)
    content = Param(
        obj={"SscanG00": image._to_dict()}, probe={"SscanG00": light._to_dict()},
        positions={"SscanG00": told.positions[:, ::-1] * PIXEL_M + origin}, pars=Param(), runtime=Param(),
    )  # fmt: skip
    io.h5options["UNSUPPORTED"] = "ignore"
    io.h5write(str(HERE / "ptypy.ptyr"), header={"kind": "minimal", "description": "Ptypy"}, content=content)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        {"cdtools": cdtools, "ptychodus": ptychodus, "ptypy": ptypy}[name]()
