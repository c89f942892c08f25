//! Which permissions are there: three-valued, for `doctor`.

use keyvigil_model::id::{AccountId, Region};
use keyvigil_model::verdict::UnknownReason;

use crate::call::{BoxFuture, CallContext};

/// Finds out what keyvigil is allowed to do, by harmless calls.
pub trait Preflight: Send + Sync {
    /// Tries every permission that is needed.
    fn check<'a>(&'a self, call: &'a CallContext) -> BoxFuture<'a, Vec<PermissionCheck>>;
}

/// What was found out about one permission in one account and region.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PermissionCheck {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The permission in the provider's words (`kms:GetKeyPolicy`).
    pub permission: &'static str,
    /// What was found out.
    pub status: PermissionStatus,
    /// The rules and controls that go blind without it.
    pub needed_by: &'static [&'static str],
}

/// Whether a permission is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PermissionStatus {
    /// A call succeeded.
    Granted,
    /// A call was refused.
    Denied(String),
    /// It cannot be told, with the reason: nothing there to try it on, or the call failed in another way.
    CannotTell(UnknownReason, String),
}
