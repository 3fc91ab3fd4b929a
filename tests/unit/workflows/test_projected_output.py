"""What the plan says that results take, beside what they take."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from riskpipe.config import load_settings
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.workflows.plan import plan
from riskpipe.workflows.run import run


def test_books_have_a_vector_each(book: Path) -> None:
    """With about as many books as trades these are most of what is published."""
    for path in (book / "data" / "portfolio").rglob("*.parquet"):
        trades = pq.read_table(path, partitioning=None)
        own = pa.array([f"desk/{path.parent.name}-{k}" for k in range(len(trades))])
        pq.write_table(trades.set_column(trades.schema.get_field_index("book"), "book", own), path)
    given = ("cluster.kind=serial", "measures=[pv, historical_var]", "scenario_pnl.historical=false")
    settings = load_settings(book / "riskpipe.yaml", assignments=given, environment={})

    planned = plan(settings, Selection())
    run(settings, Selection(), observer=SilentObserver())

    (written,) = (Path(settings.output) / "published" / "book_pnl").rglob("*.parquet")
    projected = planned.projected_bytes_output - planned.projected_bytes_sums
    assert 0.9 * written.stat().st_size < projected < 1.5 * written.stat().st_size
