# The object store, SeaweedFS, with a folder that its user may write to: one that is not below the
# base's own volume.
FROM chrislusf/seaweedfs:4.48@sha256:4e61d15fd35994cb1e43e1e553dff106794841fd9a99ade2fc8c8bfce4d7872d
RUN mkdir /objects && chown 1000:1000 /objects
USER 1000:1000
