"""A run of the study: its hub, plan, stages, provenance and engine."""
