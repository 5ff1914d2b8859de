"""Models of the JSON files of the evidence, from which the published JSON Schemas are made.

Pydantic writes the docstring of each model into the published schema (docs/schemas/metrics_delta_summary.schema.json).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

UtcTime = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
"""Time as YYYY-MM-DDTHH:MM:SSZ."""
RelativePath = Annotated[str, StringConstraints(pattern=r"^(?!/)(?!.*\\)(?!.*(^|/)\.\.(/|$))(?![A-Za-z]:).+$")]
"""POSIX path below the hub: neither absolute, nor with "..", a drive letter or a backslash."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in lower-case hexadecimal."""
Number = Annotated[float, Field(allow_inf_nan=False)]
"""Finite number: NaN and infinity are refused."""


class Strict(BaseModel):
    """Base of all models: immutable, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, regex_engine="python-re")


class ChannelDelta(Strict):
    """PtychoPINN - other, by channel; null where a job gave no number."""

    amplitude: Number | None
    phase: Number | None


class MetricDeltas(Strict):
    """Deltas against one other model."""

    ms_ssim: ChannelDelta
    mae: ChannelDelta


class ArmStatus(Strict):
    """What became of an arm: ok, or why its scores are not compared."""

    status: Literal["ok", "did not learn", "contrast out of bounds"]
    reason: str


class Deltas(Strict):
    """Deltas against both others (STUDY-001)."""

    vs_Baseline: MetricDeltas
    vs_PtyChi: MetricDeltas


class Provenance(Strict):
    """Where the deltas come from."""

    schema_version: str
    study: str
    git_commit: str | None
    git_dirty: bool | None
    python: str
    platform: str
    packages: dict[str, str]
    processors: list[str]
    threads: dict[str, int]
    """Number of threads with which each stage computed."""
    backend: Literal["torch", "tensorflow"]
    device: str
    seeds: dict[str, int]
    sample: str
    """Name of the built-in sample, or the file name of the base."""
    dose: int
    view: str
    splits: list[str]
    parameters: dict[str, dict[str, Any]]
    """Parameters of each stage, with its seeds and with the name of an arm's code (algorithm)."""
    settings: dict[str, dict[str, Any]]
    """Settings of each stage that trained or reconstructed, and where these settings come from."""
    inputs: dict[RelativePath, Sha256]
    """SHA-256 of every file that a stage read or wrote."""
    stage_seconds: dict[str, Number]
    """Wall time of each stage."""
    commands_document: RelativePath


class DeltaSummary(Strict):
    """analysis/metrics_delta_summary.json."""

    generated_at: UtcTime
    source_metrics: RelativePath
    deltas_split: str
    deltas: Deltas
    deltas_by_split: dict[str, Deltas]
    deltas_by_arm: dict[str, dict[str, MetricDeltas]]
    """PtychoPINN - other for every arm that `deltas` does not have, by split and by the name of the arm."""
    status: dict[str, dict[str, ArmStatus]]
    """Whether each arm learned, by split and by the name of the arm."""
    provenance: Provenance
