# The image of the app, and of Docker Compose: Debian, its Python, our packages, and Calbot.
# It has to build with BuildKit 20.10 too: no heredocs, no COPY --link, no --start-interval.
ARG BUILD_FROM=debian:trixie-slim

FROM ${BUILD_FROM} AS packages

RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3-venv

WORKDIR /build
COPY requirements.lock ./
# Wheels only: on a Raspberry Pi nothing is compiled. Of Google's 611 API descriptions Calbot reads two.
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --disable-pip-version-check --no-cache-dir --no-compile \
        --require-hashes --only-binary=:all: -r requirements.lock \
    && /opt/venv/bin/pip --disable-pip-version-check uninstall -y pip \
    && documents="$(echo /opt/venv/lib/python3.*/site-packages/googleapiclient/discovery_cache/documents)" \
    && find "$documents" -name '*.json' ! -name calendar.v3.json ! -name gmail.v1.json -delete \
    && test -s "$documents/calendar.v3.json" \
    && test -s "$documents/gmail.v1.json"
# Compiled here, once: 0.65 s instead of 1.0 s for the imports of every start, also where nothing can be written.
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib


FROM ${BUILD_FROM}

# The store's files belong to this number on the host too, so it never changes. A new volume takes /data's owner.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 8098 calbot \
    && useradd --uid 8098 --gid calbot --no-create-home --home-dir /data --shell /usr/sbin/nologin calbot \
    && install -d -o calbot -g calbot -m 0700 /data \
    && printf '#!/bin/sh\nexec /app/run.sh "$@"\n' >/usr/local/bin/calbot \
    && chmod 0755 /usr/local/bin/calbot

COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY LICENSE run.sh ./
COPY calbot ./calbot
COPY addon ./addon
# Readable by the user, whatever the umask of whoever cloned this.
RUN chmod -R a+rX,go-w . \
    && python3 -m compileall -q --invalidation-mode unchecked-hash calbot addon

ENV CALBOT_IMAGE=1 \
    LANG=C.UTF-8 \
    PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1

# Is the process there and its loops ticking? Never Google, never the broker: a restart mends neither. Asked by bash,
# this costs 2 ms of processor time, by Python 45 ms.
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${CALBOT_PANEL_PORT:-8099} && printf 'GET /live HTTP/1.0\\r\\n\\r\\n' >&3 && read -r -t 4 answer <&3 && [[ $answer == *' 200 '* ]]"]

# No USER: the Supervisor leaves options.json to root alone. run.sh opens it and then gives up everything it had.
# A stop request that comes before Calbot can take it waits until it can. By bash, because dash unblocks every signal
# as soon as it has waited for a child.
CMD ["/usr/bin/env", "--block-signal=TERM", "/usr/bin/bash", "/app/run.sh"]

ARG BUILD_VERSION=dev
ARG BUILD_ARCH=amd64
LABEL io.hass.version="${BUILD_VERSION}" \
    io.hass.arch="${BUILD_ARCH}" \
    io.hass.type="app" \
    io.hass.name="Calbot" \
    io.hass.description="Watches Google calendars, invites the right people, and tells Home Assistant about it" \
    org.opencontainers.image.title="Calbot" \
    org.opencontainers.image.version="${BUILD_VERSION}" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.source="https://github.com/calbot/calbot"
