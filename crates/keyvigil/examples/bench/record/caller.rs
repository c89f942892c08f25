//! Who calls: `userIdentity` in its usual forms.

use crate::random::{Random, uuid};

/// Who calls.
pub(super) enum Caller {
    /// A role of an application.
    Role(u64),
    /// A person.
    User(u64),
    /// A service of AWS.
    Service(&'static str),
    /// A role that appears in incidents only.
    Intruder,
}

const AGENTS: [&str; 6] = [
    "aws-sdk-java/2.29.45 Linux/6.1.119 md/io#sync md/http#Apache ua/2.1 os/Linux lang/java#21.0.5 md/vendor#Amazon.com_Inc. cfg/retry-mode#standard",
    "Boto3/1.35.90 md/Botocore#1.35.90 ua/2.0 os/linux#6.1.119 md/arch#x86_64 lang/python#3.12.8 md/pyimpl#CPython cfg/retry-mode#legacy",
    "aws-sdk-go-v2/1.32.7 ua/2.1 os/linux lang/go#1.23.4 md/GOOS#linux md/GOARCH#amd64 api/s3#1.71.1",
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) terraform-provider-aws/5.82.2",
    "aws-cli/2.22.26 md/awscrt#0.23.4 ua/2.0 os/linux#6.1.119 md/arch#x86_64 lang/python#3.12.6 md/pyimpl#CPython",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
];

/// `userIdentity`, `sourceIPAddress` and `userAgent`.
pub(super) fn identity(
    account: &str,
    time: &str,
    caller: &Caller,
    random: &mut Random,
) -> (String, String, &'static str) {
    match caller {
        Caller::Role(number) => (
            role(account, &format!("service-{number:02}"), time, random),
            // The addresses of a role are few.
            format!("10.{}.{}.{}", number % 7, number, 10 + random.below(4)),
            AGENTS[*number as usize % AGENTS.len()],
        ),
        Caller::User(number) => (
            format!(
                "{{\"type\":\"IAMUser\",\"principalId\":\"AIDAEXAMPLE{number:010}\",\"arn\":\"arn:aws:iam::{account}:user/person-{number:02}\",\"accountId\":\"{account}\",\"accessKeyId\":\"AKIAEXAMPLE{number:09}\",\"userName\":\"person-{number:02}\"}}"
            ),
            format!("198.51.100.{number}"),
            AGENTS[3 + *number as usize % 3],
        ),
        Caller::Service(name) => (
            format!("{{\"type\":\"AWSService\",\"invokedBy\":\"{name}\"}}"),
            (*name).to_owned(),
            name,
        ),
        Caller::Intruder => (
            role(account, "maintenance", time, random),
            "203.0.113.66".to_owned(),
            AGENTS[4],
        ),
    }
}

fn role(account: &str, name: &str, time: &str, random: &mut Random) -> String {
    let session = uuid(&mut Random::at([3, random.below(40), 0, 0]));
    let day = time.get(..11).unwrap_or_default();
    format!(
        "{{\"type\":\"AssumedRole\",\"principalId\":\"AROAEXAMPLE{length:010}:{session}\",\"arn\":\"arn:aws:sts::{account}:assumed-role/{name}/{session}\",\"accountId\":\"{account}\",\"accessKeyId\":\"ASIAEXAMPLE{key:09}\",\"sessionContext\":{{\"sessionIssuer\":{{\"type\":\"Role\",\"principalId\":\"AROAEXAMPLE{length:010}\",\"arn\":\"arn:aws:iam::{account}:role/{name}\",\"accountId\":\"{account}\",\"userName\":\"{name}\"}},\"attributes\":{{\"creationDate\":\"{day}0{hour}:00:00Z\",\"mfaAuthenticated\":\"false\"}}}}}}",
        length = name.len(),
        key = random.below(400) * 2_345_677,
        hour = random.below(9),
    )
}
