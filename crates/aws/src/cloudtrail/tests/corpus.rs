//! Real events, where the folder of samples lies beside the repository.

use std::path::Path;

use keyvigil_model::action::Action;
use keyvigil_model::event::Outcome;
use keyvigil_model::key::KeyForm;
use keyvigil_model::principal::PrincipalKind;

use super::{decode, everything};

#[test]
fn every_key_and_secret_event_of_the_real_samples_is_mapped() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/corpora/aws-cloudtrail-attack-simulation/CloudTrail");
    let Ok(folder) = std::fs::read_dir(&samples) else {
        return;
    };
    let (mut records, mut keys, mut secrets, mut failed) = (0, 0, 0, 0);
    for file in folder {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let whole = decode(&bytes, everything());
        assert!(whole.quarantined.is_empty(), "{:?}", whole.quarantined.first());
        records += whole.summary.records;
        for event in &whole.events {
            keys += usize::from(&*event.service == "kms.amazonaws.com");
            secrets += usize::from(&*event.service == "secretsmanager.amazonaws.com");
            failed += usize::from(event.outcome == Outcome::Failed);
            assert_ne!(event.principal.id.as_str(), "unknown", "{event:?}");
            assert_ne!(event.outcome, Outcome::Unknown, "{event:?}");
            assert_ne!(event.principal.kind, PrincipalKind::Unknown, "{event:?}");
            match event.action {
                Action::KeyDecrypt | Action::KeyEncrypt | Action::KeyDataKey => {
                    let key = event.key().unwrap_or_else(|| panic!("no key: {event:?}"));
                    assert_eq!(key.form, KeyForm::Canonical, "{event:?}");
                    assert!(key.account.is_some() && key.region.is_some(), "{event:?}");
                }
                Action::SecretRead => assert!(event.resource.is_some(), "{event:?}"),
                _ => {}
            }
            assert_eq!(
                event.action.is_key(),
                &*event.service == "kms.amazonaws.com",
                "{event:?}"
            );
        }
    }
    assert_eq!((records, keys, secrets), (2_900, 240, 233));
    assert!(failed > 0);
}
