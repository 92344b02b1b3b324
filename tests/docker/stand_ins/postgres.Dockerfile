# Debian's PostgreSQL, started as the image of that name starts its own.
FROM python:3.11.13-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-15 \
    && rm -rf /var/lib/apt/lists/* /var/lib/postgresql \
    && install --directory --owner postgres /var/lib/postgresql/data /run/postgresql
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin
COPY postgres-start /usr/local/bin/
ENTRYPOINT ["postgres-start"]
STOPSIGNAL SIGINT
