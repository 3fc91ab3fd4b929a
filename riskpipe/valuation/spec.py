"""What every block of a run shares: written once into the run, opened once by each worker process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from riskpipe import __version__
from riskpipe.market.conventions import (
    CommodityConvention,
    Conventions,
    CurveConvention,
    FxPairConvention,
    IndexConvention,
    SurfaceConvention,
)
from riskpipe.measures.families import Bumps
from riskpipe.store.fingerprints import Span
from riskpipe.store.parquet import ChangedFileError
from riskpipe.store.portfolio import TradeFile
from riskpipe.store.result_tables import Provenance
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sealed import sealed, unsealed
from riskpipe.structs import asdict


class ValuationSpec(Struct, frozen=True):
    """All that determines a block's numbers and is not in the block, and where its inputs lie.

    :param portfolio: root of the trade files (path or URI).
    :param selection: alternatives of "method:pattern" terms by which trades were selected; empty: all.
    :param stored_pnl: scenario sets whose P&L vectors are written per trade.
    :param files_sha256: name of a file of the run that is written with it (plan, market, scenarios, quarantine, which
        blocks rest on, and checks, configuration, hashes of the inputs, limits) -> of its bytes.
    :param pieces_sha256: of its pieces (`store/growing_copy.py`), for files that nodes hand on to each other.
    :param previous: date and run of the published day that P&L is explained from.
    :param derived: first and last (exclusive) positions of the market's points that were made of quotes.
    :param trade_columns: what the table `trades` has besides its own columns, each with its Arrow type's name.
    """

    run_id: str
    as_of: date
    measures: tuple[str, ...]
    bumps: Bumps
    conventions: Conventions
    portfolio: str
    files: Mapping[str, TradeFile]
    selection: tuple[tuple[str, ...], ...]
    stored_pnl: tuple[str, ...]
    config_sha256: str
    inputs_sha256: str
    engine_version: str
    files_sha256: Mapping[str, str] = field(default_factory=dict)
    pieces_sha256: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    previous: tuple[str, str] | None = None
    derived: tuple[tuple[int, int], ...] = ()
    trade_columns: tuple[tuple[str, str], ...] = ()

    @property
    def provenance(self) -> Provenance:
        """Of what this process makes: with its own version, which need not be that of the plan."""
        made_of = (self.config_sha256, self.inputs_sha256)
        return Provenance(self.run_id, self.as_of, *made_of, __version__, self.conventions.base_currency)

    def to_json(self) -> bytes:
        return sealed({**asdict(self), "as_of": self.as_of.isoformat()})

    @staticmethod
    def from_json(text: bytes) -> ValuationSpec:
        """:raises ValueError: not what `to_json` wrote."""
        value = unsealed(text, always=True)
        return ValuationSpec(
            **{
                **value,
                "as_of": date.fromisoformat(value["as_of"]),
                "measures": tuple(value["measures"]),
                "bumps": _bumps(value["bumps"]),
                "conventions": _conventions(value["conventions"]),
                "files": {path: _trade_file(file) for path, file in value["files"].items()},
                "selection": tuple(tuple(terms) for terms in value["selection"]),
                "stored_pnl": tuple(value["stored_pnl"]),
                "previous": None if value.get("previous") is None else tuple(value["previous"]),
                "pieces_sha256": {name: tuple(pieces) for name, pieces in value.get("pieces_sha256", {}).items()},
                "derived": tuple(tuple(places) for places in value.get("derived", ())),
                "trade_columns": tuple(tuple(column) for column in value.get("trade_columns", ())),
            }
        )


def _bumps(value: Mapping[str, Any]) -> Bumps:
    return Bumps(**{**value, "cross_gamma": tuple(tuple(pair) for pair in value["cross_gamma"])})


@lru_cache(maxsize=4)
def _parsed(content: bytes) -> ValuationSpec:
    """A run reads its own half a dozen times, and with thousands of trade files each takes a twentieth of a second."""
    return ValuationSpec.from_json(content)


def read_spec(folder: RunFolder) -> ValuationSpec:
    """The specification of a run. :raises StorageError: it is missing, or not what was written."""
    try:
        return _parsed(folder.store.read_bytes(folder.valuation))
    except (ValueError, KeyError, TypeError) as error:
        where = folder.store.full_path(folder.valuation)
        raise ChangedFileError(f"{where} is damaged ({error}), the run cannot go on: start a new one") from error


def _conventions(value: Mapping[str, Any]) -> Conventions:
    entries = {
        "indices": IndexConvention,
        "surfaces": SurfaceConvention,
        "curves": CurveConvention,
        "commodities": CommodityConvention,
        "fx_pairs": FxPairConvention,
    }
    made = {key: {name: kind(**_frozen(entry)) for name, entry in value[key].items()} for key, kind in entries.items()}
    return Conventions(**{**value, **made})


def _frozen(entry: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists where conventions have tuples."""
    return {term: tuple(level) if isinstance(level, list) else level for term, level in entry.items()}


def _trade_file(value: Mapping[str, Any]) -> TradeFile:
    return TradeFile(
        **{
            **value,
            "row_group_offsets": tuple(value["row_group_offsets"]),
            "columns": tuple(value["columns"]),
            "spans": tuple(Span(**span) for span in value["spans"]),
        }
    )
