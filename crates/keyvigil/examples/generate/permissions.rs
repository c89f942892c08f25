//! docs/permissions.md: the policies, and what each permission is for.

use std::fmt::Write;

use keyvigil_aws::permissions::{
    GrantedOn, PERMISSIONS, base_policy_document, policy_document, policy_document_for,
};

use crate::{banner, cell};

const INTRODUCTION: &str = "# AWS permissions

keyvigil reads. The only things that it changes are messages of its own queue, and IAM's credential report, which it asks
AWS to make. Three policies cover all of it; the list that they come from is `crates/aws/src/permissions.rs`, and
`keyvigil doctor` tries each permission and says what goes blind without it.

`s3:GetObject` and `kms:Decrypt` are granted on the trail's bucket and on the key of its log files only. Never grant
`kms:Decrypt` on `*`: keyvigil does not need it, and with it the watcher could read what it watches.
";

/// The page.
pub(crate) fn page() -> String {
    let mut page = banner("`crates/aws/src/permissions.rs`") + INTRODUCTION;
    policy(
        &mut page,
        "The role in the account that holds the trail's bucket and queue",
        "Replace the names in capitals. Leave `DecryptTrailFiles` out if no key of yours encrypts the log files.",
        &policy_document(),
    );
    policy(
        &mut page,
        "The role in every other account",
        "Configuration and event history. No log files.",
        &policy_document_for(None),
    );
    policy(
        &mut page,
        "The base credentials",
        "What the machine that runs keyvigil is allowed: to assume the roles (`aws.accounts.role_arn`), nothing else. List \
         every role.",
        &base_policy_document(&[String::from("arn:aws:iam::ACCOUNT_ID:role/keyvigil")]),
    );
    page.push_str(
        "\n## What each permission is for\n\nWithout a permission, what needs it says UNKNOWN (controls) or sees \
         nothing (rules). `sight.lost` reports a call that\nis denied.\n\n| permission | granted on | for | goes blind \
         without it |\n|---|---|---|---|\n",
    );
    for permission in PERMISSIONS {
        let blind = if permission.needed_by.is_empty() {
            String::from("nothing; it lets `doctor` say whose credentials these are")
        } else if permission.needed_by.contains(&"*") {
            String::from("every rule, for what this log holds")
        } else {
            permission
                .needed_by
                .iter()
                .map(|id| format!("`{id}`"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (on, purpose) = (granted_on(permission.resource), permission.used_by.purpose());
        line(
            &mut page,
            &format!(
                "| `{}` | {on} | {} | {} |",
                permission.action,
                cell(purpose),
                cell(&blind)
            ),
        );
    }
    page
}

fn policy(page: &mut String, title: &str, text: &str, document: &str) {
    line(
        page,
        &format!("\n## {title}\n\n{text}\n\n```json\n{document}\n```"),
    );
}

fn granted_on(place: GrantedOn) -> &'static str {
    match place {
        GrantedOn::Everything => "`*`",
        GrantedOn::LogBucket => "the trail's bucket",
        GrantedOn::LogObjects => "its objects",
        GrantedOn::LogQueue => "the trail's queue",
        GrantedOn::LogKey => "the key of the log files",
    }
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("writing to text cannot fail");
}
