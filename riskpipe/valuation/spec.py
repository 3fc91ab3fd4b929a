"""What every block of a run shares: written once into the run, opened once by each worker process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from riskpipe import __version__
from riskpipe.market.conventions import Conventions, CurveConvention, IndexConvention, SurfaceConvention
from riskpipe.measures.families import Bumps
from riskpipe.store.fingerprints import Span
from riskpipe.store.parquet import ChangedFileError
from riskpipe.store.portfolio import TradeFile
from riskpipe.store.result_tables import Provenance
from riskpipe.store.run_folder import RunFolder


@dataclass(frozen=True)
class ValuationSpec:
    """All that determines a block's numbers and is not in the block, and where its inputs lie.

    :param portfolio: root of the trade files (path or URI).
    :param selection: alternatives of "method:pattern" terms by which trades were selected; empty: all.
    :param stored_pnl: scenario sets whose P&L vectors are written per trade.
    :param files_sha256: name of a file of the run that blocks rest on (plan, market, scenarios, quarantine) -> of its
        bytes.
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

    @property
    def provenance(self) -> Provenance:
        """Of what this process makes: with its own version, which need not be that of the plan."""
        return Provenance(self.run_id, self.as_of, self.config_sha256, self.inputs_sha256, __version__)

    def to_json(self) -> str:
        value = {**asdict(self), "as_of": self.as_of.isoformat()}
        return json.dumps({**value, "sha256": _checksum(value)}, indent=1, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> ValuationSpec:
        """:raises ValueError: not what `to_json` wrote."""
        value = json.loads(text)
        if not isinstance(value, dict) or value.pop("sha256", None) != _checksum(value):
            raise ValueError("its checksum is wrong")
        return ValuationSpec(
            **{
                **value,
                "as_of": date.fromisoformat(value["as_of"]),
                "measures": tuple(value["measures"]),
                "bumps": Bumps(**value["bumps"]),
                "conventions": _conventions(value["conventions"]),
                "files": {path: _trade_file(file) for path, file in value["files"].items()},
                "selection": tuple(tuple(terms) for terms in value["selection"]),
                "stored_pnl": tuple(value["stored_pnl"]),
            }
        )


def _checksum(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read_spec(folder: RunFolder) -> ValuationSpec:
    """The specification of a run. :raises StorageError: it is missing, or not what was written."""
    try:
        return ValuationSpec.from_json(folder.store.read_bytes(folder.valuation).decode())
    except (ValueError, KeyError, TypeError) as error:
        where = folder.store.full_path(folder.valuation)
        raise ChangedFileError(f"{where} is damaged ({error}), the run cannot go on: start a new one") from error


def _conventions(value: Mapping[str, Any]) -> Conventions:
    entries = {"indices": IndexConvention, "surfaces": SurfaceConvention, "curves": CurveConvention}
    made = {key: {name: kind(**entry) for name, entry in value[key].items()} for key, kind in entries.items()}
    return Conventions(**{**value, **made})


def _trade_file(value: Mapping[str, Any]) -> TradeFile:
    return TradeFile(
        **{
            **value,
            "row_group_offsets": tuple(value["row_group_offsets"]),
            "columns": tuple(value["columns"]),
            "spans": tuple(Span(**span) for span in value["spans"]),
        }
    )
