"""Evidence of a run: deltas and digests from the comparison tables, a report, and their verification."""
