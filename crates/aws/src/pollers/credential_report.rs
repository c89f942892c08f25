//! The IAM credential report: CSV with one row for root and one for each user.
//!
//! Columns are found by their names, because AWS adds new ones. `N/A`, `no_information` and `not_supported` stand for
//! values that do not exist; only `true` and `false` are answers (IAM user guide, "credential reports").

use keyvigil_connector::failure::FailureClass;
use keyvigil_model::id::PrincipalId;
use keyvigil_model::snapshot::{AwsAccessKey, AwsUser};
use keyvigil_model::time::Timestamp;

use crate::client::failure::AwsError;

const CALL: &str = "iam:GetCredentialReport";
/// The name of root's row. No user can have it: `<` is not allowed in user names.
const ROOT: &str = "<root_account>";

/// What the report says.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Report {
    pub(crate) root: Option<RootRow>,
    /// Users with their names.
    pub(crate) users: Vec<(String, AwsUser)>,
    /// Rows that could not be read.
    pub(crate) broken: usize,
}

/// Root's row; `None` where the report does not answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RootRow {
    pub(crate) mfa: Option<bool>,
    pub(crate) password: Option<bool>,
    pub(crate) active_keys: Option<u32>,
}

/// Where the columns are.
struct Columns {
    user: usize,
    arn: usize,
    password: usize,
    mfa: usize,
    keys: [KeyColumns; 2],
    width: usize,
}

struct KeyColumns {
    active: usize,
    rotated: usize,
    used: usize,
}

/// Reads the report. A row that is broken is counted and costs its neighbours nothing; a report without the columns
/// that are needed is unreadable as a whole.
pub(crate) fn read(csv: &str, made: Timestamp) -> Result<Report, AwsError> {
    let mut rows = rows(csv).into_iter();
    let columns = columns(&rows.next().unwrap_or_default())?;
    let mut report = Report::default();
    for row in rows {
        if row.len() == 1 && row[0].is_empty() {
            continue;
        }
        if row.len() != columns.width || row[columns.arn].is_empty() {
            report.broken += 1;
            continue;
        }
        if row[columns.user] == ROOT {
            report.root = Some(root_row(&columns, &row));
            continue;
        }
        match user_row(&columns, &row, made) {
            Some(user) => report.users.push((row[columns.user].clone(), user)),
            None => report.broken += 1,
        }
    }
    Ok(report)
}

fn columns(header: &[String]) -> Result<Columns, AwsError> {
    let find = |name: &str| {
        header
            .iter()
            .position(|column| column.trim() == name)
            .ok_or_else(|| {
                let message = format!("the report has no column {name}");
                AwsError::new(FailureClass::Unreadable, CALL, message)
            })
    };
    let key = |slot: u8| {
        Ok::<_, AwsError>(KeyColumns {
            active: find(&format!("access_key_{slot}_active"))?,
            rotated: find(&format!("access_key_{slot}_last_rotated"))?,
            used: find(&format!("access_key_{slot}_last_used_date"))?,
        })
    };
    Ok(Columns {
        user: find("user")?,
        arn: find("arn")?,
        password: find("password_enabled")?,
        mfa: find("mfa_active")?,
        keys: [key(1)?, key(2)?],
        width: header.len(),
    })
}

fn root_row(columns: &Columns, row: &[String]) -> RootRow {
    let mut active_keys = Some(0);
    for key in &columns.keys {
        active_keys = match (active_keys, answer(&row[key.active])) {
            (Some(count), Some(active)) => Some(count + u32::from(active)),
            (Some(_), None) | (None, _) => None,
        };
    }
    RootRow {
        mfa: answer(&row[columns.mfa]),
        password: answer(&row[columns.password]),
        active_keys,
    }
}

/// A user whose second factor or keys the report does not tell cannot be judged: `None`.
fn user_row(columns: &Columns, row: &[String], made: Timestamp) -> Option<AwsUser> {
    let mut access_keys = Vec::new();
    for (slot, key) in (1..).zip(&columns.keys) {
        if answer(&row[key.active])? {
            access_keys.push(AwsAccessKey {
                slot,
                rotated: Timestamp::parse_rfc3339(&row[key.rotated]).ok(),
                last_used: Timestamp::parse_rfc3339(&row[key.used]).ok(),
            });
        }
    }
    Some(AwsUser {
        id: PrincipalId::from(row[columns.arn].as_str()),
        // `not_supported` and `no_information`: there is no password.
        console: answer(&row[columns.password]).unwrap_or(false),
        mfa: answer(&row[columns.mfa])?,
        access_keys,
        report_time: made,
    })
}

/// The documentation writes `TRUE`, the service `true`.
fn answer(value: &str) -> Option<bool> {
    if value.eq_ignore_ascii_case("true") {
        Some(true)
    } else if value.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Splits CSV as RFC 4180 has it: quoted fields may hold commas, line breaks and doubled quotes.
fn rows(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = csv.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            other => field.push(other),
        }
    }
    if !field.is_empty() || !row.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests;
