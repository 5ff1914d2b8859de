"""Files and parameters that nobody meant to give: what is fed to every entry, and how it is spoiled."""
