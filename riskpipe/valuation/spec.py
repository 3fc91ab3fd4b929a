"""What every block of a run shares: written once into the run, opened once by each worker process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.measures.families import Bumps
from riskpipe.store.portfolio import TradeFile
from riskpipe.store.tables import Provenance


@dataclass(frozen=True)
class ValuationSpec:
    """All that determines a block's numbers and is not in the block, and where its inputs lie.

    :param portfolio: root of the trade files (path or URI).
    :param selection: alternatives of "method:pattern" terms by which trades were selected; empty: all.
    :param stored_pnl: scenario sets whose P&L vectors are written per trade.
    :param files_sha256: name of a file of the run that is memory-mapped (plan, market, scenarios) -> of its bytes.
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
        return Provenance(self.run_id, self.as_of, self.config_sha256, self.inputs_sha256, self.engine_version)

    def to_json(self) -> str:
        value = {**asdict(self), "as_of": self.as_of.isoformat()}
        return json.dumps(value, indent=1, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> ValuationSpec:
        value = json.loads(text)
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


def _conventions(value: Mapping[str, Any]) -> Conventions:
    indices = {name: IndexConvention(**index) for name, index in value["indices"].items()}
    return Conventions(**{**value, "indices": indices})


def _trade_file(value: Mapping[str, Any]) -> TradeFile:
    return TradeFile(
        **{
            **value,
            "row_group_offsets": tuple(value["row_group_offsets"]),
            "columns": tuple(value["columns"]),
        }
    )
