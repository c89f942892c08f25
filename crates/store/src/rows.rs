//! The store's own row types and the conversions between them and the model, field by field.
//!
//! A field that is added to the model must be added here: the conversions name every field of the model's structs
//! and leave none out, so that forgetting one does not compile.

pub(crate) mod alert;
pub(crate) mod finding;
pub(crate) mod message;
pub(crate) mod subject;
pub(crate) mod words;

use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use crate::error::StoreError;

/// What is wrong with a stored value, in words for a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem(pub(crate) String);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A row that is being read, with what identifies it in errors.
pub(crate) struct Stored<'r> {
    row: &'r SqliteRow,
    table: &'static str,
    id: String,
}

impl<'r> Stored<'r> {
    /// Starts to read a row of `table`.
    pub(crate) fn new(row: &'r SqliteRow, table: &'static str, id: impl std::fmt::Display) -> Self {
        Self {
            row,
            table,
            id: id.to_string(),
        }
    }

    /// The value of a column that is never NULL. (The driver itself reads NULL as zero and as empty text.)
    pub(crate) fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(
        &self,
        column: &'static str,
    ) -> Result<T, StoreError> {
        self.maybe(column)?
            .ok_or_else(|| self.corrupt(format_args!("column {column} is NULL")))
    }

    /// The value of a column that may be NULL.
    pub(crate) fn maybe<T: Decode<'r, Sqlite> + Type<Sqlite>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.row
            .try_get(column)
            .map_err(|error| self.corrupt(format_args!("column {column}: {error}")))
    }

    /// A column that holds one of a closed list of words.
    pub(crate) fn word<T>(
        &self,
        column: &'static str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let text: &str = self.get(column)?;
        parse(text)
            .ok_or_else(|| self.corrupt(format_args!("column {column} holds the unknown word {text:?}")))
    }

    /// A count or number that is never negative.
    pub(crate) fn count(&self, column: &'static str) -> Result<u64, StoreError> {
        let number: i64 = self.get(column)?;
        u64::try_from(number).map_err(|_| self.corrupt(format_args!("column {column} is negative: {number}")))
    }

    /// A small number that is never negative.
    pub(crate) fn small(&self, column: &'static str) -> Result<u32, StoreError> {
        let number: i64 = self.get(column)?;
        u32::try_from(number)
            .map_err(|_| self.corrupt(format_args!("column {column} is out of range: {number}")))
    }

    /// A column of exactly `N` bytes.
    pub(crate) fn bytes<const N: usize>(&self, column: &'static str) -> Result<[u8; N], StoreError> {
        let bytes: &[u8] = self.get(column)?;
        bytes
            .try_into()
            .map_err(|_| self.corrupt(format_args!("column {column} has {} bytes, not {N}", bytes.len())))
    }

    /// Passes on the result of a conversion.
    pub(crate) fn check<T>(&self, column: &'static str, result: Result<T, Problem>) -> Result<T, StoreError> {
        result.map_err(|problem| self.corrupt(format_args!("column {column}: {problem}")))
    }

    /// The error that this row is not readable.
    pub(crate) fn corrupt(&self, problem: impl std::fmt::Display) -> StoreError {
        StoreError::corrupt(self.table, &self.id, problem)
    }
}
