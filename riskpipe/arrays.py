"""The one name of float64 arrays, which all rooms may import: it imports numpy alone, as kernels do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
"""Of any shape; docstrings tell it."""
