//! The evaluator against policies in the documented shapes: one table a question. Numbers are the pitfalls of the
//! control catalogue that a case guards against.

use keyvigil_model::policy_text::{PolicyLanguage, PolicyText};

use super::*;

mod deny;
mod documents;
mod identity;
mod outside;
mod public;
mod tls;

/// A resource policy with these statements.
fn resource_policy(statements: &str) -> PolicyText {
    PolicyText {
        language: PolicyLanguage::AwsResource,
        document: format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#).into(),
    }
}

/// A resource policy with exactly this text.
fn text(document: &str) -> PolicyText {
    PolicyText {
        language: PolicyLanguage::AwsResource,
        document: document.into(),
    }
}
