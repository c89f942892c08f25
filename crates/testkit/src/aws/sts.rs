//! STS: who am I, and roles. A role's account is in its ARN; the credentials returned lead back to it.

use super::query::parameter;
use super::world::access_key_of;
use super::{Call, Fault};

pub(super) fn answer(call: &Call<'_>, operation: &str) -> Result<String, Fault> {
    match operation {
        "GetCallerIdentity" => {
            let account = &call.caller.account;
            Ok(format!(
                "<Arn>arn:aws:sts::{account}:assumed-role/keyvigil/keyvigil</Arn><UserId>AROAEXAMPLE:keyvigil</UserId><Account>{account}</Account>"
            ))
        }
        "AssumeRole" => {
            let role = parameter(call.body, "RoleArn")
                .ok_or_else(|| Fault::new(400, "ValidationError", "RoleArn must not be null"))?;
            let session = parameter(call.body, "RoleSessionName")
                .ok_or_else(|| Fault::new(400, "ValidationError", "RoleSessionName must not be null"))?;
            let account = role.split(':').nth(4).unwrap_or_default().to_owned();
            if account.len() != 12 {
                return Err(Fault::new(400, "ValidationError", format!("{role} is invalid")));
            }
            let key = access_key_of(&account);
            Ok(format!(
                "<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>fake-secret</SecretAccessKey><SessionToken>fake-token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::{account}:assumed-role/keyvigil/{session}</Arn><AssumedRoleId>AROAEXAMPLE:{session}</AssumedRoleId></AssumedRoleUser>"
            ))
        }
        other => Err(Fault::new(
            400,
            "InvalidAction",
            format!("sts:{other} is not part of this fake"),
        )),
    }
}
