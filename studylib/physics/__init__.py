"""Physics on arrays: forward model, simulation, likelihoods, photon limits, overlap, grouping and stitching."""
