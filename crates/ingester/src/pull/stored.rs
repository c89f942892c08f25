//! Reads a stored position.

use keyvigil_connector::failure::FailureClass;

use crate::driver::{Driver, wait_after};

/// Reads a stored position; waits for the store if need be.
pub(crate) async fn load<T, E: std::fmt::Display>(
    driver: &Driver,
    scope: &str,
    decode: impl Fn(&str) -> Result<T, E>,
) -> Stored<T> {
    let mut attempt = 0;
    loop {
        match driver.memory.checkpoint(scope).await {
            Ok(None) => return Stored::Nothing,
            Ok(Some(text)) => match decode(&text) {
                Ok(position) => return Stored::Position(position),
                Err(error) => {
                    tracing::error!(scope, %error, "the stored position is lost; looking back far");
                    return Stored::Unusable;
                }
            },
            Err(error) => {
                attempt += 1;
                tracing::error!(scope, %error, "the position cannot be read");
                tokio::time::sleep(wait_after(FailureClass::Transient, attempt)).await;
            }
        }
    }
}

/// What was found for a scope.
pub(crate) enum Stored<T> {
    Nothing,
    Position(T),
    Unusable,
}
