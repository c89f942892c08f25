//! Records written for tests, in the shape that CloudTrail documents.

/// A record of account 111122223333.
pub(super) fn record(id: &str, service: &str, operation: &str) -> String {
    format!(
        concat!(
            r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLE:app-1","#,
            r#""arn":"arn:aws:sts::111122223333:assumed-role/app/app-1","accountId":"111122223333","#,
            r#""accessKeyId":"ASIAEXAMPLE","sessionContext":{{"sessionIssuer":{{"type":"Role","#,
            r#""principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/app","accountId":"111122223333","#,
            r#""userName":"app"}},"attributes":{{"creationDate":"2026-03-01T11:00:00Z","mfaAuthenticated":"false"}}}}}},"#,
            r#""eventTime":"2026-03-01T12:00:00Z","eventSource":"{service}","eventName":"{operation}","#,
            r#""awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.10","userAgent":"aws-cli/2.15","#,
            r#""requestParameters":{{"encryptionContext":{{"app":"billing"}},"encryptionAlgorithm":"SYMMETRIC_DEFAULT"}},"#,
            r#""responseElements":null,"requestID":"11111111-2222-3333-4444-555555555555","eventID":"{id}","#,
            r#""readOnly":true,"resources":[{{"accountId":"111122223333","type":"AWS::KMS::Key","#,
            r#""ARN":"arn:aws:kms:eu-west-1:111122223333:key/00000000-1111-2222-3333-444444444444"}}],"#,
            r#""eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","#,
            r#""eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256"}}}}"#
        ),
        id = id,
        service = service,
        operation = operation
    )
}

/// A file as CloudTrail delivers it.
pub(super) fn file(records: &[String]) -> String {
    format!("{{\"Records\":[{}]}}", records.join(","))
}
