//! Tokens as a table.

use railsbench::protocol::TokenView;

use super::table::{table, text};
use super::units;

/// Tokens by name.
pub fn tokens(tokens: &[TokenView]) -> String {
    if tokens.is_empty() {
        return "no tokens by name; make one with: railsbench token create NAME\n".to_owned();
    }
    let mut rows = table(&["name", "may", "created", "until"], &[]);
    for token in tokens {
        rows.add_row(vec![
            token.name.to_string(),
            token.scope.as_str().to_owned(),
            units::moment(token.created_at),
            units::moment(token.expires_at),
        ]);
    }
    text(&rows)
}
