"""The producers of derived points, in the order in which they run: a later one sees the points of those before.

QuantLib is slow to import, and a market without quotes does not need it.
"""

from __future__ import annotations

import pyarrow as pa

from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import Derivation, GroupName, Producer, names_of
from riskpipe.market.dividends import payable_dividends
from riskpipe.market.smiles import derive_smiles


def _rates(table: pa.Table, as_of: int, conventions: Conventions, left_out: frozenset[GroupName]) -> Derivation:
    if not _is_quoted("par_rate", table, left_out):
        return Derivation(table, left_out=left_out)
    from riskpipe.market.bootstrap.rates import bootstrap_rates

    return bootstrap_rates(table, as_of, conventions, left_out)


def _credit(table: pa.Table, as_of: int, conventions: Conventions, left_out: frozenset[GroupName]) -> Derivation:
    if not _is_quoted("cds_spread", table, left_out):
        return Derivation(table, left_out=left_out)
    from riskpipe.market.bootstrap.hazard_rates import bootstrap_credit

    return bootstrap_credit(table, as_of, conventions, left_out)


def _is_quoted(kind: str, table: pa.Table, left_out: frozenset[GroupName]) -> bool:
    return bool(names_of(table, kind)) or any(given == kind for given, _ in left_out)


PRODUCERS: tuple[Producer, ...] = (_rates, _credit, payable_dividends, derive_smiles)
