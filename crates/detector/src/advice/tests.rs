//! No text that a caller chose reaches a command.

use keyvigil_model::id::KeyId;
use keyvigil_model::key::KeyForm;
use keyvigil_model::principal::PrincipalKind;
use keyvigil_model::untrusted::Untrusted;

use super::*;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn key(id: &str) -> KeyRef {
    KeyRef {
        id: KeyId::from(id),
        form: KeyForm::Canonical,
        account: None,
        region: None,
        alias: None,
    }
}

fn commands(steps: &[Advice]) -> Vec<&str> {
    steps.iter().filter_map(|step| step.command.as_deref()).collect()
}

#[test]
fn a_good_key_gets_commands_the_look_first() {
    let steps = undo_destruction(Provider::Aws, Some(&key(KEY)));
    assert_eq!(steps.len(), 2);
    assert_eq!(
        (steps[0].effect, steps[1].effect),
        (Effect::ReadOnly, Effect::ChangesState)
    );
    assert_eq!(
        commands(&steps)[1],
        format!(
            "aws kms cancel-key-deletion --key-id {KEY} --region eu-west-1 && aws kms enable-key --key-id {KEY} --region eu-west-1"
        )
    );
    assert_eq!(
        commands(&undo_destruction(Provider::Gcp, Some(&key(KEY)))),
        Vec::<&str>::new()
    );
}

#[test]
fn anything_else_gets_words_only() {
    for id in [
        "",
        "alias/x",
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:eu-west-1:111122223333:key/$(reboot)",
        "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab; reboot",
        "arn:aws:kms:eu-west-1;x:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws:kms:eu-west-1:1111:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "arn:aws`x`:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    ] {
        let steps = undo_destruction(Provider::Aws, Some(&key(id)));
        assert_eq!(commands(&steps), Vec::<&str>::new(), "{id}");
    }
}

#[test]
fn credentials_users_and_roles() {
    let who = |id: &str, credential: &str| {
        let mut principal = Principal::unknown(id);
        principal.kind = PrincipalKind::Human;
        principal.credential = Some(Untrusted::from(credential));
        stop_principal(&principal)
    };
    let steps = who(
        "arn:aws:iam::111122223333:user/path/alice",
        "AKIAIOSFODNN7EXAMPLE",
    );
    assert_eq!(
        commands(&steps)[1],
        "aws iam update-access-key --user-name alice --access-key-id AKIAIOSFODNN7EXAMPLE --status Inactive"
    );
    assert_eq!(
        commands(&who("arn:aws:iam::111122223333:role/app", "ASIAIOSFODNN7EXAMPLE")),
        ["aws iam list-attached-role-policies --role-name app"]
    );
    for (id, credential) in [
        ("arn:aws:iam::111122223333:user/$(x)", "AKIAIOSFODNN7EXAMPLE"),
        ("arn:aws:iam::111122223333:user/alice", "AKIA; rm -rf /xxxxxx"),
        ("arn:aws:iam::111122223333:user/-rf", "AKIAIOSFODNN7EXAMPLE"),
        ("root", "AKIAIOSFODNN7EXAMPLE"),
    ] {
        assert_eq!(
            commands(&who(id, credential)),
            Vec::<&str>::new(),
            "{id} {credential}"
        );
    }
}

#[test]
fn names_of_buckets_trails_and_secrets() {
    assert_eq!(grammar::bucket("arn:aws:s3:::my-bucket.eu"), Some("my-bucket.eu"));
    assert_eq!(grammar::bucket("my bucket"), None);
    assert_eq!(grammar::bucket("-rf"), None);
    assert_eq!(grammar::trail("main_trail"), Some("main_trail"));
    assert_eq!(grammar::trail("a;b"), None);
    assert_eq!(
        grammar::trail("arn:aws:cloudtrail:eu-west-1:111122223333:trail/t$x"),
        None
    );
    let secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbCdEf";
    assert_eq!(grammar::secret(secret), Some((secret, "eu-west-1")));
    assert_eq!(grammar::secret("prod/db"), None);
}
