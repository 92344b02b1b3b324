# The object store, with a folder that its user may write to.
FROM quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z
COPY --chown=1000:1000 docker/databases.sql /data/.keep
USER 1000:1000
CMD ["server", "/data"]
