"""The evidence: from comparison tables to deltas, digests, a report and their verification."""
