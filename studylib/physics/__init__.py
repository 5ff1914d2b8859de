"""Physics: the forward model, the simulation, likelihoods, overlap and stitching, on arrays."""
