"""Make the buckets that docker/start names, in the object store at $AWS_ENDPOINT_URL."""

import s3fs

store = s3fs.S3FileSystem()
for bucket in ("dvc", "mlflow"):
    if not store.exists(bucket):
        store.mkdir(bucket)
