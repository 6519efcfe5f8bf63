//! Why a result file cannot be used.

/// Why a result file cannot be used: which file, where in it, what is wrong, and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResultError {
    /// More bytes than are read.
    #[error(
        "{file} has {size} bytes and at most {limit} are read; run fewer benchmarks or iterations"
    )]
    TooLarge {
        /// Which file.
        file: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Not JSON, or JSON of another shape.
    #[error(
        "{file}, line {line}, column {column}: {problem}; \
         write the shape that the workload contract describes"
    )]
    Shape {
        /// Which file.
        file: &'static str,
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
        /// What the parser says, shortened.
        problem: String,
    },
    /// The right shape with a value that cannot be.
    #[error("{file}, {place}: {problem}; {fix}")]
    Value {
        /// Which file.
        file: &'static str,
        /// Path of the value, e.g. `raw_data.yjit.boot.bench[3]`.
        place: String,
        /// What is wrong with it.
        problem: String,
        /// What to write instead.
        fix: &'static str,
    },
}

impl ResultError {
    /// A parser's error, without control characters and at most 200 characters long: part of it
    /// may quote the file.
    pub(super) fn shape(file: &'static str, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let (problem, _) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
        let problem = problem
            .chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .take(200)
            .collect();
        Self::Shape { file, line: error.line(), column: error.column(), problem }
    }
}
