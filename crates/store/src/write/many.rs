//! Inserting many rows with few statements.

use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::error::StoreError;

/// Rows of one statement. Only these sizes are used, so that three prepared statements serve every batch.
const SIZES: [usize; 3] = [64, 8, 1];

/// Runs `head VALUES (…),(…) tail` over the rows. `bind` pushes the columns of one row.
pub(crate) async fn insert<T>(
    connection: &mut SqliteConnection,
    head: &'static str,
    tail: &'static str,
    rows: &[T],
    bind: impl Fn(&mut Separated<'_, Sqlite, &'static str>, &T),
) -> Result<(), StoreError> {
    let mut rest = rows;
    for size in SIZES {
        while let Some((chunk, after)) = rest.split_at_checked(size) {
            let mut statement = QueryBuilder::<Sqlite>::new(head);
            statement.push_values(chunk, |mut columns, row| bind(&mut columns, row));
            statement.push(tail);
            statement.build().execute(&mut *connection).await?;
            rest = after;
        }
    }
    Ok(())
}
