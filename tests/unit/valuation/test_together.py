"""Classes of columns that are priced at once: those alone that no trade has two of."""

from __future__ import annotations

import numpy as np

from riskpipe.valuation.context import ColumnClass
from riskpipe.valuation.together import Rows, together


def _class(first: int, count: int) -> ColumnClass:
    return ColumnClass(np.arange(first, first + count), np.array([first]), 0)


def _rows(*rows: int) -> Rows:
    return np.array(rows, np.int32)


def test_classes_of_different_trades_and_one_width_are_together() -> None:
    one, other, wide = _class(0, 5), _class(5, 8), _class(13, 9)
    touched = [(one, _rows(0, 1), _rows(0, 1)), (wide, _rows(3), _rows(3)), (other, _rows(4, 2), _rows(2, 4))]

    groups = together(touched, 5, 8, 1000)

    assert [group.classes for group in groups] == [(one, other), (wide,)]
    assert [group.width for group in groups] == [8, 16]
    assert groups[0].rows.tolist() == [0, 1, 4, 2]


def test_a_trade_is_in_one_class_of_a_group_even_if_that_moves_its_exchange_rate_alone() -> None:
    one, other = _class(0, 8), _class(8, 8)

    groups = together([(one, _rows(0), _rows(0, 1)), (other, _rows(1), _rows(1))], 2, 8, 1000)

    assert [group.classes for group in groups] == [(one,), (other,)]


def test_a_group_ends_where_it_would_be_too_large() -> None:
    classes = [_class(8 * k, 8) for k in range(3)]

    groups = together([(each, _rows(k), _rows(k)) for k, each in enumerate(classes)], 3, 8, 16)

    assert [len(group.members) for group in groups] == [2, 1]
