//! The actions that a policy can give, and how much each of them gives.

use std::collections::BTreeSet;

use keyvigil_model::severity::Severity;

use super::document::Document;

/// How much an action, or the strongest of several actions, gives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Power {
    /// Looking at the configuration (`DescribeKey`).
    Looks,
    /// Using a key without reading what it protects (`Encrypt`, `Sign`).
    Uses,
    /// Reading what a key protects (`Decrypt`, `ReEncryptFrom`, a data key in plain text).
    Reads,
    /// Changing who may use the key or whether it lives (`PutKeyPolicy`, `CreateGrant`, `ScheduleKeyDeletion`).
    Administers,
}

impl Power {
    /// How bad it is that somebody who should not have this power has it.
    pub fn severity(self) -> Severity {
        match self {
            Self::Looks => Severity::Medium,
            Self::Uses => Severity::High,
            Self::Reads | Self::Administers => Severity::Critical,
        }
    }

    /// What it allows, in words that complete "may …".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Looks => "look at its configuration",
            Self::Uses => "use it",
            Self::Reads => "decrypt with it",
            Self::Administers => "administer it",
        }
    }
}

/// The actions of the key service and how much they give: KMS developer guide, "Permissions reference".
const KMS: [(&str, Power); 51] = [
    ("kms:CancelKeyDeletion", Power::Administers),
    ("kms:CreateAlias", Power::Administers),
    ("kms:CreateGrant", Power::Administers),
    ("kms:CreateKey", Power::Administers),
    ("kms:Decrypt", Power::Reads),
    ("kms:DeleteAlias", Power::Administers),
    ("kms:DeleteImportedKeyMaterial", Power::Administers),
    ("kms:DeriveSharedSecret", Power::Reads),
    ("kms:DescribeKey", Power::Looks),
    ("kms:DisableKey", Power::Administers),
    ("kms:DisableKeyRotation", Power::Administers),
    ("kms:EnableKey", Power::Administers),
    ("kms:EnableKeyRotation", Power::Administers),
    ("kms:Encrypt", Power::Uses),
    ("kms:GenerateDataKey", Power::Reads),
    ("kms:GenerateDataKeyPair", Power::Reads),
    ("kms:GenerateDataKeyPairWithoutPlaintext", Power::Uses),
    ("kms:GenerateDataKeyWithoutPlaintext", Power::Uses),
    ("kms:GenerateMac", Power::Uses),
    ("kms:GenerateRandom", Power::Looks),
    ("kms:GetKeyLastUsage", Power::Looks),
    ("kms:GetKeyPolicy", Power::Looks),
    ("kms:GetKeyRotationStatus", Power::Looks),
    ("kms:GetParametersForImport", Power::Administers),
    ("kms:GetPublicKey", Power::Looks),
    ("kms:ImportKeyMaterial", Power::Administers),
    ("kms:ListAliases", Power::Looks),
    ("kms:ListGrants", Power::Looks),
    ("kms:ListKeyPolicies", Power::Looks),
    ("kms:ListKeyRotations", Power::Looks),
    ("kms:ListKeys", Power::Looks),
    ("kms:ListResourceTags", Power::Looks),
    ("kms:ListRetirableGrants", Power::Looks),
    ("kms:PutKeyPolicy", Power::Administers),
    ("kms:ReEncryptFrom", Power::Reads),
    ("kms:ReEncryptTo", Power::Uses),
    ("kms:ReplicateKey", Power::Administers),
    ("kms:RetireGrant", Power::Administers),
    ("kms:RevokeGrant", Power::Administers),
    ("kms:RotateKeyOnDemand", Power::Administers),
    ("kms:ScheduleKeyDeletion", Power::Administers),
    ("kms:Sign", Power::Uses),
    ("kms:SynchronizeMultiRegionKey", Power::Administers),
    ("kms:TagResource", Power::Administers),
    ("kms:UntagResource", Power::Administers),
    ("kms:UpdateAlias", Power::Administers),
    ("kms:UpdateKeyDescription", Power::Administers),
    ("kms:UpdatePrimaryRegion", Power::Administers),
    ("kms:Verify", Power::Uses),
    ("kms:VerifyMac", Power::Uses),
    ("kms:UpdateCustomKeyStore", Power::Administers),
];

/// An action with its written form and the form that patterns are compared with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Action {
    /// As AWS writes it.
    pub name: String,
    /// In lower case.
    pub lower: String,
}

impl Action {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            lower: name.to_ascii_lowercase(),
        }
    }
}

/// How much one action gives. Actions of other services: reading if their name says so, otherwise administering.
pub(crate) fn power(action: &str) -> Power {
    let known = KMS.iter().find(|(name, _)| name.eq_ignore_ascii_case(action));
    if let Some((_, power)) = known {
        return *power;
    }
    let verb = action
        .split_once(':')
        .map_or(action, |(_, verb)| verb)
        .to_ascii_lowercase();
    if verb.starts_with("get") && !action.starts_with("kms:") {
        return Power::Reads;
    }
    if ["list", "describe", "head"]
        .iter()
        .any(|start| verb.starts_with(start))
    {
        return Power::Looks;
    }
    Power::Administers
}

/// The actions worth trying on a document: every action of the key service if it may be meant, and each action that
/// the document names, also as a pattern (`s3:Get*` is covered by itself).
pub(crate) fn worth_trying(document: &Document) -> Vec<Action> {
    let mut actions = BTreeSet::new();
    let mut key_service = false;
    for statement in &document.statements {
        for entry in &statement.actions.list {
            key_service |= entry.starts_with("kms:") || !entry.contains(':');
            if !(statement.actions.except || entry.starts_with("kms:") || entry == "*") {
                actions.insert(Action::new(entry));
            }
        }
        key_service |= statement.actions.except;
    }
    if key_service {
        actions.extend(KMS.iter().map(|(name, _)| Action::new(name)));
    }
    actions.into_iter().collect()
}

/// The names of all actions of the key service.
pub(crate) fn of_key_service() -> impl Iterator<Item = &'static str> {
    KMS.iter().map(|(name, _)| *name)
}

/// The strongest first, at most five, and how many more there are.
pub(crate) fn listed(actions: &[String]) -> String {
    let mut sorted: Vec<&String> = actions.iter().collect();
    sorted.sort_by_key(|name| (std::cmp::Reverse(power(name)), (*name).clone()));
    let mut text = String::new();
    for name in sorted.iter().take(5) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        let plain = |c: &char| c.is_ascii_alphanumeric() || ":*?-_".contains(*c);
        text.extend(name.chars().filter(plain).take(80));
    }
    if sorted.len() > 5 {
        text.push_str(&format!(" and {} more", sorted.len() - 5));
    }
    text
}
