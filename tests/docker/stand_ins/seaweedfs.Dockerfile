# SeaweedFS of its Python package, for the image of that name.
FROM python:3.11.13-slim-bookworm
COPY weed /usr/bin/
