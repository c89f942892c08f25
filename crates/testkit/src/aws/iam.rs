//! IAM: the account summary and the credential report.

use super::world::World;
use super::{Call, Fault};

pub(super) fn answer(world: &mut World, call: &Call<'_>, operation: &str) -> Result<String, Fault> {
    let account = world.account(&call.caller.account);
    match operation {
        "GetAccountSummary" => {
            let entries: String = account
                .summary
                .iter()
                .map(|(name, value)| format!("<entry><key>{name}</key><value>{value}</value></entry>"))
                .collect();
            Ok(format!("<SummaryMap>{entries}</SummaryMap>"))
        }
        "GenerateCredentialReport" => Ok(String::from("<State>COMPLETE</State>")),
        "GetCredentialReport" => {
            if account.credential_report.is_empty() {
                return Err(Fault::new(
                    410,
                    "ReportNotPresent",
                    "the credential report was not generated",
                ));
            }
            let content = base64(account.credential_report.as_bytes());
            Ok(format!(
                "<Content>{content}</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>2026-11-20T00:00:00Z</GeneratedTime>"
            ))
        }
        "ListVirtualMFADevices" => Ok(String::from(
            "<IsTruncated>false</IsTruncated><VirtualMFADevices/>",
        )),
        other => Err(Fault::new(
            400,
            "InvalidAction",
            format!("iam:{other} is not part of this fake"),
        )),
    }
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            if place <= chunk.len() {
                text.push(char::from(ALPHABET[(word >> (18 - 6 * place) & 63) as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_pads_as_the_rfc_says() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(super::base64(plain.as_bytes()), encoded);
        }
    }
}
