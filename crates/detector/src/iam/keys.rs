//! What is known about each condition key: who decides its value. Names are in lower case.
//!
//! Sources: IAM user guide "Global condition context keys", KMS developer guide "Condition keys for KMS", Amazon S3
//! "Actions, resources, and condition keys". A key that is not listed here is [`Binds::Unknown`]: a policy that rests
//! on it is neither called public nor safe.

/// Who decides the value of a condition key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Binds {
    /// The account of the caller.
    CallerAccount,
    /// The organisation of the caller.
    CallerOrg,
    /// The place of the caller's account in its organisation (several values).
    CallerOrgPaths,
    /// The ARN of the caller.
    CallerArn,
    /// The unique id and session of the caller.
    CallerUserId,
    /// What sort of caller it is.
    CallerType,
    /// Whether a service of AWS calls for itself.
    IsService,
    /// Which service calls.
    ServiceName,
    /// The account on whose behalf a service calls.
    SourceAccount,
    /// The resource on whose behalf a service calls.
    SourceArn,
    /// The organisation on whose behalf a service calls.
    SourceOrg,
    /// The place in the organisation on whose behalf a service calls (several values).
    SourceOrgPaths,
    /// The account of the private endpoint.
    EndpointAccount,
    /// The organisation of the private endpoint.
    EndpointOrg,
    /// The place of the private endpoint's account in its organisation.
    EndpointOrgPaths,
    /// The public address of the caller.
    Address,
    /// The network or private endpoint of the caller.
    Network,
    /// The encryption context: the caller chooses it, except where a service calls.
    EncryptionContext,
    /// Only bound to two values.
    Switch,
    /// Whoever calls may choose it, or has it in an account of their own.
    Free,
    /// The resource, which the caller cannot change and which is not compared here.
    Resource,
    /// Not known.
    Unknown,
}

/// Who decides the value of the key, given in lower case.
pub(crate) fn binds(key: &str) -> Binds {
    if let Some((_, binds)) = TABLE.iter().find(|(name, _)| *name == key) {
        return *binds;
    }
    if let Some((_, binds)) = FAMILIES.iter().find(|(prefix, _)| key.starts_with(prefix)) {
        return *binds;
    }
    Binds::Unknown
}

/// Keys whose name ends with a part that the policy chooses.
const FAMILIES: [(&str, Binds); 8] = [
    ("aws:principaltag/", Binds::Free),
    ("aws:requesttag/", Binds::Free),
    ("aws:resourcetag/", Binds::Resource),
    ("kms:encryptioncontext:", Binds::EncryptionContext),
    ("s3:existingobjecttag/", Binds::Resource),
    ("s3:requestobjecttag/", Binds::Free),
    ("s3:buckettag/", Binds::Resource),
    ("s3:x-amz-", Binds::Free),
];

const TABLE: [(&str, Binds); 85] = [
    ("aws:principalaccount", Binds::CallerAccount),
    ("kms:calleraccount", Binds::CallerAccount),
    ("aws:principalorgid", Binds::CallerOrg),
    ("aws:principalorgpaths", Binds::CallerOrgPaths),
    ("aws:principalarn", Binds::CallerArn),
    ("aws:userid", Binds::CallerUserId),
    ("aws:principaltype", Binds::CallerType),
    ("aws:principalisawsservice", Binds::IsService),
    ("aws:principalservicename", Binds::ServiceName),
    ("aws:principalservicenameslist", Binds::ServiceName),
    ("aws:sourceaccount", Binds::SourceAccount),
    ("aws:sourceowner", Binds::SourceAccount),
    ("aws:sourcearn", Binds::SourceArn),
    ("aws:sourceorgid", Binds::SourceOrg),
    ("aws:sourceorgpaths", Binds::SourceOrgPaths),
    ("aws:vpceaccount", Binds::EndpointAccount),
    ("aws:vpceorgid", Binds::EndpointOrg),
    ("aws:vpceorgpaths", Binds::EndpointOrgPaths),
    ("aws:sourceip", Binds::Address),
    ("aws:sourcevpc", Binds::Network),
    ("aws:sourcevpce", Binds::Network),
    ("aws:sourcevpcarn", Binds::Network),
    ("s3:accesspointnetworkorigin", Binds::Network),
    // A private address exists in everybody's network.
    ("aws:vpcsourceip", Binds::Free),
    ("aws:securetransport", Binds::Switch),
    ("aws:multifactorauthpresent", Binds::Switch),
    ("aws:viaawsservice", Binds::Switch),
    ("aws:multifactorauthage", Binds::Free),
    ("aws:calledvia", Binds::Free),
    ("aws:calledviafirst", Binds::Free),
    ("aws:calledvialast", Binds::Free),
    ("aws:referer", Binds::Free),
    ("aws:useragent", Binds::Free),
    ("aws:username", Binds::Free),
    ("aws:tagkeys", Binds::Free),
    ("aws:tokenissuetime", Binds::Free),
    ("aws:assumedroot", Binds::Free),
    ("aws:federatedprovider", Binds::Free),
    ("aws:sourceidentity", Binds::Free),
    ("kms:viaservice", Binds::Free),
    ("kms:encryptioncontextkeys", Binds::Free),
    ("kms:encryptionalgorithm", Binds::Free),
    ("kms:bypasspolicylockoutsafetycheck", Binds::Switch),
    ("kms:expirationmodel", Binds::Free),
    ("kms:grantconstrainttype", Binds::Free),
    ("kms:grantisforawsresource", Binds::Switch),
    ("kms:grantoperations", Binds::Free),
    ("kms:granteeprincipal", Binds::Free),
    ("kms:granteeserviceprincipal", Binds::Free),
    ("kms:keyagreementalgorithm", Binds::Free),
    ("kms:macalgorithm", Binds::Free),
    ("kms:messagetype", Binds::Free),
    ("kms:primaryregion", Binds::Free),
    ("kms:reencryptonsamekey", Binds::Switch),
    ("kms:replicaregion", Binds::Free),
    ("kms:requestalias", Binds::Free),
    ("kms:retiringprincipal", Binds::Free),
    ("kms:rotationperiodindays", Binds::Free),
    ("kms:scheduledkeydeletionpendingwindowindays", Binds::Free),
    ("kms:schedulekeydeletionpendingwindowindays", Binds::Free),
    ("kms:signingalgorithm", Binds::Free),
    ("kms:validto", Binds::Free),
    ("kms:wrappingalgorithm", Binds::Free),
    ("kms:wrappingkeyspec", Binds::Free),
    ("kms:datakeypairspec", Binds::Free),
    ("kms:customermasterkeyspec", Binds::Resource),
    ("kms:customermasterkeyusage", Binds::Resource),
    ("kms:keyorigin", Binds::Resource),
    ("kms:keyspec", Binds::Resource),
    ("kms:keyusage", Binds::Resource),
    ("kms:multiregion", Binds::Resource),
    ("kms:multiregionkeytype", Binds::Resource),
    ("kms:resourcealiases", Binds::Resource),
    ("aws:resourceaccount", Binds::Resource),
    ("aws:resourceorgid", Binds::Resource),
    ("aws:resourceorgpaths", Binds::Resource),
    ("aws:requestedregion", Binds::Resource),
    ("s3:resourceaccount", Binds::Resource),
    ("s3:prefix", Binds::Free),
    ("s3:delimiter", Binds::Free),
    ("s3:max-keys", Binds::Free),
    ("s3:authtype", Binds::Free),
    ("s3:signatureversion", Binds::Free),
    ("s3:signatureage", Binds::Free),
    ("s3:tlsversion", Binds::Free),
];
