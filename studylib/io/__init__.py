"""Files: atomic writes, strict reading, the data sets of the study (DATA-001) and the formats of measured scans."""
