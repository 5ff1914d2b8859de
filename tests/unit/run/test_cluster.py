"""Where the stages run, by the words that Snakemake is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from studylib.errors import InputError
from studylib.run import cluster

LISTS = '#!/bin/sh\n[ "$1" = --list-gpus ] && echo "GPU 0: some card (UUID: GPU-1)"\n'


@pytest.fixture
def tools(tmp_path, monkeypatch) -> Path:
    """A folder that holds the machine's programs alone; no GPU is hidden."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return folder


def give(folder: Path, text: str) -> None:
    (folder / "nvidia-smi").write_text(text, encoding="utf-8")
    (folder / "nvidia-smi").chmod(0o755)


def test_stages_share_a_gpu_one_at_a_time(tools, tmp_path, monkeypatch):
    give(tools, LISTS)
    words = cluster.placement("local", tmp_path, 4, 100)
    assert words[-3:] == ["gpu=1", "--config", "gpu=1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "gpu=1" not in cluster.placement("local", tmp_path, 4, 100)


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 9\n", "#!/bin/sh\necho No devices found\n"])
def test_a_driver_without_a_gpu_is_no_gpu(tools, tmp_path, text):
    give(tools, text)
    assert "gpu=1" not in cluster.placement("local", tmp_path, 4, 100)


def test_the_stage_that_needs_most_memory_runs_alone_where_there_is_less(tmp_path):
    words = cluster.placement("local", tmp_path, 3, 10**9)
    assert words[words.index("--cores") + 1] == "3" and "mem_mb=1000000000" in words


def test_an_unknown_profile_is_refused(tmp_path):
    with pytest.raises(InputError, match="local, slurm or a folder"):
        cluster.placement(str(tmp_path), tmp_path, 2, 100)
