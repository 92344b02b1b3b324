"""Make the buckets that docker/start names, in the object store at $AWS_ENDPOINT_URL."""

import boto3

store = boto3.client("s3")
names = {bucket["Name"] for bucket in store.list_buckets()["Buckets"]}
for name in ("dvc", "mlflow"):
    if name not in names:
        store.create_bucket(Bucket=name)
