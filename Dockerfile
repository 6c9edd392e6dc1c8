# One image for every worker, the console and the demo's API; docker-compose.yml names the command and the health check.
FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/barograph && /opt/barograph/bin/pip install --no-cache-dir '.[demo]'

FROM python:3.12-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin barograph
COPY --from=build /opt/barograph /opt/barograph
ENV PATH=/opt/barograph/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A barograph.toml that is mounted here is found without further ado.
WORKDIR /etc/barograph
USER barograph
ENTRYPOINT ["barograph"]
CMD ["--help"]
