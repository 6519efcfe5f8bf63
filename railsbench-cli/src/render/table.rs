//! Tables: one look for all of them.

use comfy_table::{CellAlignment, LineStyle, Table, presets};

/// A table with these column heads; those in `right` hold numbers.
pub fn table(heads: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_NO_BORDERS.row_separator(LineStyle::none()));
    table.set_header(heads.to_vec());
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table as text, without the blanks that pad its last column.
pub fn text(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
