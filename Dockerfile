# The engine with bubblewrap, which confines the agent's code:
#   docker build -t treegraft .
# compose.yaml runs it, with the options that let bubblewrap make its namespaces.
# BASE is any image with Python 3.11 or later, pip, and either apt-get or bubblewrap.
ARG BASE=python:3.12-slim

FROM ${BASE} AS wheel
LABEL treegraft.stage=wheel
# Options of pip, such as --index-url=URL.
ARG PIP_OPTIONS=""
USER 0
WORKDIR /source
COPY . .
RUN python3 -m pip wheel --no-cache-dir --no-deps ${PIP_OPTIONS} --wheel-dir /wheels .

FROM ${BASE}
ARG PIP_OPTIONS=""
# Extras of pyproject.toml, for example "postgres,parquet,train".
ARG EXTRAS="postgres"
USER 0
RUN command -v bwrap || (apt-get update && apt-get install -y --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/*)
COPY --from=wheel /wheels /wheels
RUN python3 -m pip install --no-cache-dir --root-user-action=ignore ${PIP_OPTIONS} \
    "$(echo /wheels/treegraft-*.whl)[${EXTRAS}]"
ENV HOME=/home/treegraft
RUN mkdir -m 1777 -p /data /home/treegraft
USER 1000:1000
WORKDIR /data
ENTRYPOINT ["engine"]
CMD ["--help"]
