"""Which columns of trades the table `trades` has beside those of every book, and of which types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from riskpipe.config import Settings
from riskpipe.errors import ConfigurationError, Level
from riskpipe.inputs.inspection import Inspection
from riskpipe.market.factors import nearest
from riskpipe.plan.fault import Fault
from riskpipe.products.base import Product
from riskpipe.products.carried_columns import carried_type
from riskpipe.products.validation import all_columns
from riskpipe.store.columns import ARROW_TYPES
from riskpipe.store.portfolio import TradeFile
from riskpipe.store.table_schemas import SCHEMAS

TradeColumns = tuple[tuple[str, str], ...]
"""Name and Arrow type."""


def check_trade_columns(settings: Settings, products: Mapping[str, Product]) -> None:
    """:raises ConfigurationError: a column that no product has, and that is not carried either."""
    if not settings.results.trade_columns:
        return
    columns = {column.name for product in products.values() for column in all_columns(product)}
    known = {*columns, *SCHEMAS["trades"].names, *settings.inputs.extra_columns}
    faults = [
        f"results.trade_columns: {name}: no product has such a column, nor has inputs.extra_columns"
        f"{nearest(name, sorted(known))}"
        for name in settings.results.trade_columns
        if name not in known
    ]
    if faults:
        raise ConfigurationError(faults)


def trade_columns(inspection: Inspection, files: Sequence[TradeFile], schemas: Mapping[str, pa.Schema]) -> TradeColumns:
    """Those of `results.trade_columns`, and of `inputs.extra_columns` what trade files have; not lists, which is told.

    :param files: that are read. :param schemas: by path.
    """
    settings = inspection.settings
    wanted = dict.fromkeys([*settings.results.trade_columns, *settings.inputs.extra_columns])
    found = []
    for name in wanted:
        if name in SCHEMAS["trades"].names:
            continue
        types = list(_types(inspection.products, files, schemas, name))
        asked = name in settings.results.trade_columns
        type_ = carried_type(types) if types else "string" if asked else None
        if type_ is not None:
            found.append((name, type_))
        elif types:
            message = f"the column {name!r} holds lists: the table `trades` does not have it"
            fault = Fault(Level.WARNING, "portfolio", "", name, "not_carried", 0, (), message)
            inspection.add(fault, blocking=False)
    return tuple(found)


def _types(
    products: Mapping[str, Product], files: Sequence[TradeFile], schemas: Mapping[str, pa.Schema], name: str
) -> Iterator[pa.DataType]:
    """Of a column in all products and files that have it."""
    for product in dict.fromkeys(file.product for file in files):
        own = next((column for column in all_columns(products[product]) if column.name == name), None)
        if own is not None:
            yield pa.list_(pa.null()) if own.nested or own.kind == "table" else ARROW_TYPES[own.kind]
            continue
        for schema in dict.fromkeys(schemas[file.path] for file in files if file.product == product):
            if name in schema.names:
                yield schema.field(name).type
        if any(name in file.partitions for file in files if file.product == product):
            yield pa.string()
