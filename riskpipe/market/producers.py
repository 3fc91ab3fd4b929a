"""The producers of derived points, in the order in which they run: a later one sees the points of those before."""

from __future__ import annotations

from riskpipe.market.derived import Producer
from riskpipe.market.smiles import derive_smiles

PRODUCERS: tuple[Producer, ...] = (derive_smiles,)
