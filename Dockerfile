# Two stages: the first has pip and builds, the second has only Python, ordo and what the lock names.
FROM python:3.12-slim-bookworm AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY .ci/requirements.py .ci/
COPY poetry.lock ./
RUN python .ci/requirements.py --only build > build.txt \
    && python .ci/requirements.py --extra postgres --extra redis --extra otel > requirements.txt \
    && pip install --no-deps --require-hashes --only-binary :all: -r build.txt \
    && python -m venv --without-pip /opt/ordo \
    && pip --python /opt/ordo/bin/python install --no-deps --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY ordo_cli ordo_cli
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /build/dist . \
    && pip --python /opt/ordo/bin/python install --no-deps /build/dist/*.whl \
    && python -m compileall -q -j 0 /opt/ordo/lib


FROM python:3.12-slim-bookworm

RUN python -m pip uninstall --yes pip \
    && install -d -o 10001 -g 10001 -m 0700 /data \
    && install -d -o 10001 -g 10001 /data/handover/postgres /data/handover/prometheus /data/handover/grafana
COPY --from=build /opt/ordo /opt/ordo
# A new volume takes the owner of the folder that it covers: each of handover/ goes to one other container of compose.yaml.
# Everything compiled is in the image already; nothing but /data may be written.
ENV PATH=/opt/ordo/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/data ORDO_HOME=/data
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8020
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 CMD ["python", "-m", "ordo_cli.deploy.health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["ordo"]
CMD ["serve"]
