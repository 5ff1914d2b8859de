"""The arms of the study: one file for each reconstruction method, and their registry."""
