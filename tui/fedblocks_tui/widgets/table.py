"""A table that draws only the lines that can be seen.

Ten thousand clients are sorted and filtered as plain Python objects, which takes milliseconds; a key press then draws
the thirty lines on the screen and nothing else. The row under the cursor is remembered by its key, so that it stays
selected when new data come, whatever they do to the order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fedblocks_tui.query import Searchable, compile_query
from fedblocks_tui.text import Cell, Tone
from fedblocks_tui.widgets.columns import Column, fit, sort_rows, widths

Row = TypeVar("Row")

_GUTTER = 2


class RowTable(ScrollView, Generic[Row], can_focus=True):
    """A table of objects, one a line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("home,g", "top", "First row", show=False),
        Binding("end,G", "bottom", "Last row", show=False),
        Binding("ctrl+d,pagedown", "page(1)", "Half a page down", show=False),
        Binding("ctrl+u,pageup", "page(-1)", "Half a page up", show=False),
        Binding("right,l", "sideways(8)", "Columns to the right", show=False),
        Binding("left,h", "sideways(-8)", "Columns to the left", show=False),
        Binding("s", "sort", "Sort by the next column", show=False),
        Binding("S", "reverse", "Turn the order round", show=False),
        Binding("enter", "choose", "Detail", show=False),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "row-table--header",
        "row-table--cursor",
        *(f"row-table--{tone}" for tone in Tone),
    }

    class Chosen(Message):
        """A row was chosen with enter or a second click."""

        def __init__(self, table: RowTable[Any], row: Any) -> None:
            self.table, self.row = table, row
            super().__init__()

        @property
        def control(self) -> RowTable[Any]:
            """The table."""
            return self.table

    class Moved(Message):
        """The cursor is on another row; None where there is none."""

        def __init__(self, table: RowTable[Any], row: Any) -> None:
            self.table, self.row = table, row
            super().__init__()

        @property
        def control(self) -> RowTable[Any]:
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        key: Callable[[Row], str],
        *,
        empty: str,
        searchable: Searchable[Row] | None = None,
        sort: int | None = None,
        id: str | None = None,
    ) -> None:
        """Make a table.

        Args:
            columns: from left to right.
            key: what makes a row the same row when the data are read again.
            empty: what stands there when there is no row at all.
            searchable: what the filter may look at.
            sort: the column to sort by at first; the order in which rows are given, if left out.
            id: the widget's.
        """
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.searchable = searchable
        self._key = key
        self.empty = empty
        self.waits = False
        """Whether no rows means that they are still being read."""
        self._all: Sequence[Row] = ()
        self.rows: Sequence[Row] = ()
        self.sorted_by = sort
        self.descending = sort is not None and self.columns[sort].descending
        self.query_text = ""
        self.cursor = 0
        self._styles: dict[str, Style] = {}

    # -- data --

    def show(self, rows: Sequence[Row]) -> None:
        """Take new rows, in their own order; sort, filter and cursor stay as they are."""
        self._all = rows
        self._arrange()

    def filter(self, text: str) -> None:
        """Leave only rows of which a filter holds."""
        if text != self.query_text:
            self.query_text = text
            self._arrange()

    @property
    def total(self) -> int:
        """How many rows there are without the filter."""
        return len(self._all)

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.cursor < len(self.rows) else None

    def select(self, key: str) -> bool:
        """Put the cursor on a row by its key; False if it is not shown."""
        for index, row in enumerate(self.rows):
            if self._key(row) == key:
                self._to(index)
                return True
        return False

    def _arrange(self) -> None:
        before = self.selected
        test = None if self.searchable is None else compile_query(self.query_text, self.searchable)
        rows = self._all if test is None else [row for row in self._all if test(row)]
        if self.sorted_by is not None:
            rows = sort_rows(rows, self.columns[self.sorted_by], descending=self.descending)
        self.rows = rows
        self.cursor = min(self.cursor, max(0, len(rows) - 1))
        if before is not None:
            key = self._key(before)
            for index, row in enumerate(rows):
                if self._key(row) == key:
                    self.cursor = index
                    break
        self._measure()
        self._into_view()
        self.refresh()
        self.post_message(self.Moved(self, self.selected))

    # -- drawing --

    def _measure(self) -> None:
        width = _GUTTER + sum(column.width + 1 for column in self.columns)
        self.virtual_size = Size(max(width, self.scrollable_content_region.width), len(self.rows) + 1)

    def on_resize(self) -> None:
        """Measure anew."""
        self._measure()
        self._into_view()

    def notify_style_update(self) -> None:
        """Forget the styles: the theme may have changed."""
        self._styles = {}
        super().notify_style_update()

    def _style(self, name: str) -> Style:
        if name not in self._styles:
            self._styles[name] = self.get_component_rich_style(f"row-table--{name}", partial=name != "header")
        return self._styles[name]

    def render_line(self, y: int) -> Strip:
        """One line of what can be seen; the header stays where it is."""
        left, width = round(self.scroll_x), self.size.width
        sizes = widths(self.columns, self.virtual_size.width - _GUTTER)
        index = round(self.scroll_y) + y - 1
        if y == 0:
            strip = self._header(sizes)
        elif index < len(self.rows):
            strip = self._row(index, sizes)
        elif y == 2 and not self.rows:
            nothing = f"nothing matches {self.query_text!r}: escape shows all" if self.total else self._nothing
            return Strip([Segment("  " + nothing, self._style("dim"))]).extend_cell_length(width, self.rich_style)
        else:
            return Strip.blank(width, self.rich_style)
        return strip.crop_extend(left, left + width, self.rich_style)

    @property
    def _nothing(self) -> str:
        return "reading …" if self.waits else self.empty

    def _header(self, sizes: Sequence[int]) -> Strip:
        style = self._style("header")
        cells = [Segment(" " * _GUTTER, style)]
        for index, (column, size) in enumerate(zip(self.columns, sizes, strict=True)):
            mark = ("▼" if self.descending else "▲") if index == self.sorted_by else ""
            cells.append(Segment(fit(column.title + mark, size, right=column.right) + " ", style))
        strip = Strip(cells)
        return strip.extend_cell_length(self.virtual_size.width, style)

    def _row(self, index: int, sizes: Sequence[int]) -> Strip:
        row = self.rows[index]
        on_cursor = index == self.cursor
        base = self.rich_style + self._style("cursor") if on_cursor and self.has_focus else self.rich_style
        cells = [Segment("▶ " if on_cursor else "  ", base)]
        for column, size in zip(self.columns, sizes, strict=True):
            content = column.cell(row)
            if isinstance(content, Cell):
                style = base if content.tone is Tone.PLAIN else base + self._style(content.tone)
                cells.append(Segment(fit(content.text, size, right=column.right) + " ", style))
            else:
                cells.append(Segment(fit(content, size, right=column.right) + " ", base))
        return Strip(cells).extend_cell_length(self.virtual_size.width, base)

    # -- the cursor --

    def _to(self, index: int) -> None:
        index = max(0, min(index, len(self.rows) - 1))
        if index != self.cursor:
            self.cursor = index
            self._into_view()
            self.refresh()
            self.post_message(self.Moved(self, self.selected))

    def _into_view(self) -> None:
        height = self.size.height - 1
        if height <= 0 or not self.rows:
            return
        top = round(self.scroll_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._to(self.cursor + by)

    def action_top(self) -> None:
        """Go to the first row."""
        self._to(0)

    def action_bottom(self) -> None:
        """Go to the last row."""
        self._to(len(self.rows) - 1)

    def action_page(self, sign: int) -> None:
        """Move by half of what can be seen."""
        self._to(self.cursor + sign * max(1, (self.size.height - 1) // 2))

    def action_sideways(self, by: int) -> None:
        """Show columns further to the right or left."""
        self.scroll_relative(x=by, animate=False)

    def action_sort(self) -> None:
        """Sort by the next column; after the last, rows stand as they came."""
        following = 0 if self.sorted_by is None else self.sorted_by + 1
        self.sort_by(following if following < len(self.columns) else None)

    def sort_by(self, column: int | None) -> None:
        """Sort by a column, the way that is of most use in it."""
        self.sorted_by = column
        self.descending = column is not None and self.columns[column].descending
        self._arrange()

    def action_reverse(self) -> None:
        """Turn the order round."""
        if self.sorted_by is not None:
            self.descending = not self.descending
            self._arrange()

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if self.selected is not None:
            self.post_message(self.Chosen(self, self.selected))

    def on_click(self, event: events.Click) -> None:
        """A click on a heading sorts, one on a row selects it, one on the selected row chooses it."""
        if event.y == 0:
            self._click_heading(event.x + round(self.scroll_x))
            return
        index = round(self.scroll_y) + event.y - 1
        if index == self.cursor:
            self.action_choose()
        elif index < len(self.rows):
            self._to(index)

    def _click_heading(self, x: int) -> None:
        left = _GUTTER
        for index, size in enumerate(widths(self.columns, self.virtual_size.width - _GUTTER)):
            if left <= x < left + size + 1:
                if index == self.sorted_by:
                    self.action_reverse()
                else:
                    self.sort_by(index)
                return
            left += size + 1

    def watch_has_focus(self, focused: bool) -> None:
        """Draw the cursor as one that does, or does not, hear the keys."""
        super().watch_has_focus(focused)
        self.refresh()
