//! Which operations of which AWS services mean what. Rules and the byte prefilter are both derived from this table.
//!
//! The names are CloudTrail's `eventSource` and `eventName`. Operations that are not listed have the action that the
//! service has by default: nothing of a key service or of Secrets Manager is ever dropped.

use keyvigil_model::action::Action;

/// Every operation of one service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// CloudTrail's `eventSource`.
    pub(crate) name: &'static str,
    /// What its operations mean that are not listed.
    pub(crate) default: Action,
    /// The operations that mean something of their own.
    pub(crate) operations: &'static [(&'static str, Action)],
}

/// The host name of the key service in CloudTrail's records.
pub(crate) const KMS: &str = "kms.amazonaws.com";
/// Secrets Manager.
pub(crate) const SECRETS_MANAGER: &str = "secretsmanager.amazonaws.com";
/// Systems Manager, for its Parameter Store.
pub(crate) const SSM: &str = "ssm.amazonaws.com";
/// S3.
pub(crate) const S3: &str = "s3.amazonaws.com";
/// EC2, for EBS.
pub(crate) const EC2: &str = "ec2.amazonaws.com";
/// RDS and Aurora.
pub(crate) const RDS: &str = "rds.amazonaws.com";
/// CloudTrail itself.
pub(crate) const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";
/// IAM.
pub(crate) const IAM: &str = "iam.amazonaws.com";

use Action as A;

/// The table. Two rows are decided by the content of the record: S3 writes are [`Action::ObjectWriteCustomerKey`] only
/// with a key supplied by the caller, and `UpdateTrail` may be [`Action::AuditRedirect`] (see [`alternative`]).
pub(crate) const SERVICES: &[Service] = &[
    Service {
        name: KMS,
        default: A::KeyOther,
        operations: KMS_OPERATIONS,
    },
    Service {
        name: SECRETS_MANAGER,
        default: A::SecretOther,
        operations: &[
            ("GetSecretValue", A::SecretRead),
            ("BatchGetSecretValue", A::SecretRead),
            ("ListSecrets", A::SecretList),
            ("DescribeSecret", A::SecretList),
            ("ListSecretVersionIds", A::SecretList),
            ("CreateSecret", A::SecretWrite),
            ("PutSecretValue", A::SecretWrite),
            ("UpdateSecret", A::SecretWrite),
            ("UpdateSecretVersionStage", A::SecretWrite),
            ("DeleteSecret", A::SecretDestroy),
            ("RestoreSecret", A::SecretRestore),
            ("PutResourcePolicy", A::SecretPolicySet),
            ("DeleteResourcePolicy", A::SecretPolicySet),
        ],
    },
    Service {
        name: SSM,
        default: A::Other,
        operations: &[
            ("GetParameter", A::SecretRead),
            ("GetParameters", A::SecretRead),
            ("GetParametersByPath", A::SecretRead),
            ("GetParameterHistory", A::SecretRead),
        ],
    },
    Service {
        name: S3,
        default: A::Other,
        operations: &[
            ("PutBucketEncryption", A::DefaultEncryptionSet),
            ("DeleteBucketEncryption", A::DefaultEncryptionRemove),
            ("PutBucketPolicy", A::BucketPolicySet),
            ("DeleteBucketPolicy", A::BucketPolicySet),
            ("PutBucketAcl", A::BucketPolicySet),
            ("PutBucketPublicAccessBlock", A::BucketPolicySet),
            ("DeleteBucketPublicAccessBlock", A::BucketPolicySet),
            ("PutAccountPublicAccessBlock", A::BucketPolicySet),
            ("DeleteAccountPublicAccessBlock", A::BucketPolicySet),
            ("PutObject", A::ObjectWriteCustomerKey),
            ("CopyObject", A::ObjectWriteCustomerKey),
            ("CreateMultipartUpload", A::ObjectWriteCustomerKey),
            ("UploadPart", A::ObjectWriteCustomerKey),
            ("UploadPartCopy", A::ObjectWriteCustomerKey),
        ],
    },
    Service {
        name: EC2,
        default: A::Other,
        operations: &[
            ("EnableEbsEncryptionByDefault", A::DefaultEncryptionSet),
            ("ModifyEbsDefaultKmsKeyId", A::DefaultEncryptionSet),
            ("ResetEbsDefaultKmsKeyId", A::DefaultEncryptionSet),
            ("DisableEbsEncryptionByDefault", A::DefaultEncryptionRemove),
            ("CreateVolume", A::StorageCreate),
            ("CreateSnapshot", A::StorageCreate),
            ("CopySnapshot", A::StorageCreate),
            ("ImportSnapshot", A::StorageCreate),
        ],
    },
    Service {
        name: RDS,
        default: A::Other,
        operations: &[
            ("CreateDBInstance", A::StorageCreate),
            ("CreateDBInstanceReadReplica", A::StorageCreate),
            ("CreateDBSnapshot", A::StorageCreate),
            ("CopyDBSnapshot", A::StorageCreate),
            ("RestoreDBInstanceFromDBSnapshot", A::StorageCreate),
            ("RestoreDBInstanceToPointInTime", A::StorageCreate),
            ("RestoreDBInstanceFromS3", A::StorageCreate),
            ("CreateDBCluster", A::StorageCreate),
            ("CreateDBClusterSnapshot", A::StorageCreate),
            ("CopyDBClusterSnapshot", A::StorageCreate),
            ("RestoreDBClusterFromSnapshot", A::StorageCreate),
            ("RestoreDBClusterToPointInTime", A::StorageCreate),
            ("RestoreDBClusterFromS3", A::StorageCreate),
        ],
    },
    Service {
        name: CLOUDTRAIL,
        default: A::Other,
        operations: &[
            ("CreateTrail", A::AuditStart),
            ("StartLogging", A::AuditStart),
            ("CreateEventDataStore", A::AuditStart),
            ("StartEventDataStoreIngestion", A::AuditStart),
            ("RestoreEventDataStore", A::AuditStart),
            ("StopLogging", A::AuditStop),
            ("DeleteTrail", A::AuditStop),
            ("StopEventDataStoreIngestion", A::AuditStop),
            ("DeleteEventDataStore", A::AuditStop),
            ("PutEventSelectors", A::AuditScopeChange),
            ("UpdateTrail", A::AuditScopeChange),
            ("UpdateEventDataStore", A::AuditScopeChange),
        ],
    },
    Service {
        name: IAM,
        default: A::Other,
        operations: &[
            ("PutUserPolicy", A::PermissionGrant),
            ("PutRolePolicy", A::PermissionGrant),
            ("PutGroupPolicy", A::PermissionGrant),
            ("AttachUserPolicy", A::PermissionGrant),
            ("AttachRolePolicy", A::PermissionGrant),
            ("AttachGroupPolicy", A::PermissionGrant),
            ("CreatePolicy", A::PermissionGrant),
            ("CreatePolicyVersion", A::PermissionGrant),
        ],
    },
];

/// The operations of KMS, those that KMS performs by itself included.
const KMS_OPERATIONS: &[(&str, Action)] = &[
    ("Decrypt", A::KeyDecrypt),
    ("Encrypt", A::KeyEncrypt),
    ("ReEncrypt", A::KeyReEncrypt),
    ("GenerateDataKey", A::KeyDataKey),
    ("GenerateDataKeyWithoutPlaintext", A::KeyDataKey),
    ("GenerateDataKeyPair", A::KeyDataKey),
    ("GenerateDataKeyPairWithoutPlaintext", A::KeyDataKey),
    ("Sign", A::KeySign),
    ("Verify", A::KeySign),
    ("GenerateMac", A::KeyMac),
    ("VerifyMac", A::KeyMac),
    ("DeriveSharedSecret", A::KeyMac),
    ("DescribeKey", A::KeyRead),
    ("GetKeyPolicy", A::KeyRead),
    ("GetKeyRotationStatus", A::KeyRead),
    ("GetPublicKey", A::KeyRead),
    ("ListAliases", A::KeyRead),
    ("ListGrants", A::KeyRead),
    ("ListKeyPolicies", A::KeyRead),
    ("ListKeyRotations", A::KeyRead),
    ("ListKeys", A::KeyRead),
    ("ListResourceTags", A::KeyRead),
    ("ListRetirableGrants", A::KeyRead),
    ("DescribeCustomKeyStores", A::KeyRead),
    ("CreateKey", A::KeyCreate),
    ("ScheduleKeyDeletion", A::KeyScheduleDestroy),
    ("CancelKeyDeletion", A::KeyCancelDestroy),
    ("DeleteKey", A::KeyDestroy),
    ("DisableKey", A::KeyDisable),
    ("EnableKey", A::KeyEnable),
    ("PutKeyPolicy", A::KeyPolicySet),
    ("CreateGrant", A::KeyGrantCreate),
    ("RevokeGrant", A::KeyGrantRevoke),
    ("RetireGrant", A::KeyGrantRevoke),
    ("GetParametersForImport", A::KeyImportPrepare),
    ("ImportKeyMaterial", A::KeyImport),
    ("DeleteImportedKeyMaterial", A::KeyMaterialDelete),
    ("DeleteExpiredKeyMaterial", A::KeyMaterialDelete),
    ("RotateKey", A::KeyRotate),
    ("RotateKeyOnDemand", A::KeyRotate),
    ("EnableKeyRotation", A::KeyRotationEnable),
    ("DisableKeyRotation", A::KeyRotationDisable),
    ("CreateAlias", A::KeyAliasChange),
    ("UpdateAlias", A::KeyAliasChange),
    ("DeleteAlias", A::KeyAliasChange),
    ("ReplicateKey", A::KeyReplicate),
    ("UpdatePrimaryRegion", A::KeyReplicate),
    ("CreateCustomKeyStore", A::KeyStoreChange),
    ("UpdateCustomKeyStore", A::KeyStoreChange),
    ("DeleteCustomKeyStore", A::KeyStoreChange),
    ("ConnectCustomKeyStore", A::KeyStoreChange),
    ("DisconnectCustomKeyStore", A::KeyStoreChange),
];

/// What an operation means, before the content of the record is looked at.
pub(crate) fn action_of(service: &str, operation: &str) -> Action {
    let Some(service) = SERVICES.iter().find(|entry| entry.name == service) else {
        return Action::Other;
    };
    for (name, action) in service.operations {
        if *name == operation {
            return *action;
        }
    }
    service.default
}

/// The other action that a record of this operation may turn out to have.
pub(crate) fn alternative(operation: &str) -> Option<Action> {
    (operation == "UpdateTrail").then_some(Action::AuditRedirect)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_operation_is_listed_twice() {
        for service in SERVICES {
            for (index, (name, _)) in service.operations.iter().enumerate() {
                let again = service
                    .operations
                    .iter()
                    .skip(index + 1)
                    .any(|(other, _)| other == name);
                assert!(!again, "{}: {name}", service.name);
            }
        }
    }

    #[test]
    fn everything_of_a_key_service_is_a_key_action_and_of_secrets_manager_a_secret_action() {
        for operation in ["Decrypt", "SynchronizeMultiRegionKey", "SomethingNew"] {
            assert!(action_of(KMS, operation).is_key(), "{operation}");
        }
        for operation in ["GetSecretValue", "CancelRotateSecret", "SomethingNew"] {
            assert!(action_of(SECRETS_MANAGER, operation).is_secret(), "{operation}");
        }
        assert_eq!(action_of("lambda.amazonaws.com", "Decrypt"), Action::Other);
        assert_eq!(action_of(EC2, "DescribeInstances"), Action::Other);
    }
}
