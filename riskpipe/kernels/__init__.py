"""Floor 0: numba kernels; arrays in, arrays out."""
