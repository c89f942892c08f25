//! Which resource must be read again because an event says that it changed.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::{AuditEvent, Outcome};
use keyvigil_model::id::{Region, ResourceId};
use keyvigil_model::key::{KeyForm, KeyRef};
use keyvigil_model::resource::{RepollRequest, ResourceKind, ResourceRef};

use crate::inventory::Inventory;

/// Actions that change the configuration of a key.
const OF_KEYS: ActionSet = ActionSet::of(&[
    Action::KeyCreate,
    Action::KeyScheduleDestroy,
    Action::KeyCancelDestroy,
    Action::KeyDestroy,
    Action::KeyDisable,
    Action::KeyEnable,
    Action::KeyPolicySet,
    Action::KeyGrantCreate,
    Action::KeyGrantRevoke,
    Action::KeyImport,
    Action::KeyMaterialDelete,
    Action::KeyRotate,
    Action::KeyRotationEnable,
    Action::KeyRotationDisable,
    Action::KeyAliasChange,
    Action::KeyReplicate,
]);

/// Actions that change the configuration of another resource.
const OF_RESOURCES: ActionSet = ActionSet::of(&[
    Action::DefaultEncryptionSet,
    Action::DefaultEncryptionRemove,
    Action::StorageCreate,
    Action::AuditStart,
    Action::AuditStop,
    Action::AuditScopeChange,
    Action::AuditRedirect,
    Action::BucketPolicySet,
]);

/// All of them.
pub(crate) const ACTIONS: ActionSet = OF_KEYS.union(OF_RESOURCES);

/// Asks for a new look at exactly the resource that the event changed, once a step.
pub(crate) fn request(inventory: &Inventory, event: &AuditEvent, out: &mut Vec<RepollRequest>) {
    match event.outcome {
        Outcome::Success | Outcome::Unknown => {}
        Outcome::Denied | Outcome::Failed => return,
    }
    let resource = if OF_KEYS.contains(event.action) {
        // A service grants itself use of a key for every volume that it attaches: nothing to read again for.
        if event.by_cloud_service() && event.action == Action::KeyGrantCreate {
            return;
        }
        event
            .keys
            .first()
            .and_then(|key| key_resource(&inventory.resolve(key)))
    } else if OF_RESOURCES.contains(event.action) {
        event.resource.clone()
    } else {
        None
    };
    let Some(resource) = resource else {
        return;
    };
    let request = RepollRequest {
        provider: event.provider,
        account: resource.account.clone().unwrap_or_else(|| event.account.clone()),
        region: resource.region.clone().unwrap_or_else(|| region(event)),
        resource,
    };
    if !out.contains(&request) {
        out.push(request);
    }
}

fn region(event: &AuditEvent) -> Region {
    event.region.clone()
}

/// A key that was only named by an alias that nobody knows cannot be read again.
fn key_resource(key: &KeyRef) -> Option<ResourceRef> {
    (key.form == KeyForm::Canonical).then(|| ResourceRef {
        id: ResourceId::from(key.id.as_str()),
        kind: ResourceKind::Key,
        account: key.account.clone(),
        region: key.region.clone(),
    })
}
