"""What a company does in moto: builds its account, delivers log files, breaks things and repairs them."""
import json
import os
import sys
import time

import boto3
from botocore.config import Config

quick = Config(retries={"max_attempts": 10}, s3={"addressing_style": "path"})
s3, sqs, kms = (boto3.client(name, config=quick) for name in ("s3", "sqs", "kms"))
LOGS, DATA = "acme-audit-logs", "acme-customer-data"
verb, arguments = sys.argv[1], sys.argv[2:]


def encrypt(bucket):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def build():
    for bucket in (LOGS, DATA):
        s3.create_bucket(Bucket=bucket)
        encrypt(bucket)
    statement = {"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
                 "Resource": [f"arn:aws:s3:::{DATA}", f"arn:aws:s3:::{DATA}/*"],
                 "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    s3.put_bucket_policy(Bucket=DATA, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    queue = sqs.create_queue(QueueName="cloudtrail")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.put_bucket_notification_configuration(Bucket=LOGS, NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]})
    key = kms.create_key(Description="customer data")["KeyMetadata"]["Arn"]
    kms.enable_key_rotation(KeyId=key)
    return {"queue": queue, "key": key}


def deliver(folder):
    count = 0
    for root, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                s3.put_object(Bucket=LOGS, Key=os.path.relpath(path, folder), Body=file.read())
            count += 1
    return {"delivered": count}


def waiting(queue):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return {"waiting": sum(int(found[name]) for name in names)}


def drained(queue, limit):
    end = time.monotonic() + float(limit)
    while time.monotonic() < end:
        if waiting(queue)["waiting"] == 0:
            return {"waiting": 0}
        time.sleep(0.2)
    return waiting(queue)


def broken(key):
    s3.delete_bucket_encryption(Bucket=DATA)
    kms.disable_key_rotation(KeyId=key)
    return {}


def repaired(key):
    encrypt(DATA)
    kms.enable_key_rotation(KeyId=key)
    return {}


print(json.dumps({"build": build, "deliver": deliver, "drained": drained, "broken": broken, "repaired": repaired}[verb](*arguments)))
