"""Numbers, durations, sizes and columns as people read them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from io import StringIO

from riskpipe.cli.streams import terminal_width


def count(number: int) -> str:
    """12,345 as it is; millions and more rounded: 1.25M, 40.0G."""
    for limit, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M")):
        if abs(number) >= limit:
            return f"{number / limit:.{2 if abs(number) < 10 * limit else 1}f}{unit}"
    return f"{number:,}"


def duration(seconds: float) -> str:
    """40 ms, 0.4 s, 12 s, 3:05, 1:02:03."""
    if 0 < seconds < 0.095:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(bytes_: float) -> str:
    """512 B, 1.5 KiB, 20.0 MiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(bytes_) < 1024:
            return f"{bytes_:.0f} B" if unit == "B" else f"{bytes_:.1f} {unit}"
        bytes_ /= 1024
    return f"{bytes_:.1f} TiB"


def plural(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def columns(header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Lines of aligned columns, two spaces apart; the positions in `right` are right-aligned.

    On a terminal that is narrower than the table, cells are folded so that it fits; elsewhere a row is a line.
    """
    table = [tuple(header), *map(tuple, rows)]
    widths = [max(len(row[k]) for row in table) for k in range(len(header))]
    flush_right = set(right)
    width = terminal_width()
    if width is not None and sum(widths) + 2 * (len(widths) - 1) > width:
        return _fitted(table, flush_right, width)
    return [
        "  ".join(
            cell.rjust(width) if k in flush_right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def _fitted(table: Sequence[Sequence[str]], right: Collection[int], width: int) -> list[str]:
    """The lines of a table of so many columns of the terminal."""
    from rich.console import Console  # for narrow terminals alone: it takes as long as ten modules
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for k in range(len(table[0])):
        grid.add_column(justify="right" if k in right else "left", overflow="fold")
    for row in table:
        grid.add_row(*map(Text, row))
    console = Console(width=width, file=StringIO(), color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(grid)
    return [line.rstrip() for line in captured.get().splitlines()]
