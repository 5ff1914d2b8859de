"""Files: atomic writes, strict NPZ and the DATA-001 data sets."""
