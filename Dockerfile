# One image for the controller and one for each service: docker build --target controller .   (npm run images builds them all)
#
# What they hold is made here, from the base image and npm alone: docs/adr/0045-images-hold-one-bundled-file.md. Nothing in them is
# written to at run time, and nothing of theirs is a shell's to start.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim@sha256:0e0ff40c39bc087845bfb27465a0df4ea419520094bc35842ff83dd8cbe6f9b6

FROM ${NODE_IMAGE} AS packages
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

FROM packages AS bundle
ARG NODE_IMAGE
ARG SOURCE_DATE_EPOCH=0
COPY . .
RUN node scripts/images/bundle.ts --base "${NODE_IMAGE}"

# Of the base image a process needs Node and a few libraries: without the rest an image is half as big, and there is less to be attacked.
FROM ${NODE_IMAGE} AS node-alone
COPY scripts/images/node-alone.sh /node-alone.sh
RUN sh /node-alone.sh "$(command -v node)" /alone

FROM scratch AS production
ARG NODE_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
COPY --from=node-alone /alone/ /
ENV PATH=/usr/local/bin NODE_ENV=production
WORKDIR /app
# The base image's user `node`, by number: a pod that must not run as root is let in by nothing else.
USER 1000:1000
EXPOSE 8080
STOPSIGNAL SIGTERM
# Settings come from the environment, what is given as arguments goes to the process: a service's commands, the controller's flags.
ENTRYPOINT ["node", "/app/main.mjs"]
LABEL org.opencontainers.image.vendor="ordertx" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.base.name="${NODE_IMAGE}"

FROM production AS controller
# By itself Node lets much more garbage gather than a controller holds, and glibc keeps an arena for each of its threads (docs/BENCHMARKS.md).
ENV NODE_OPTIONS=--max-semi-space-size=4 MALLOC_ARENA_MAX=1
LABEL org.opencontainers.image.title="ordertx controller"
COPY --from=bundle /src/dist/images/controller/ ./

FROM production AS order
LABEL org.opencontainers.image.title="ordertx order service"
COPY --from=bundle /src/dist/images/order/ ./

FROM production AS inventory
LABEL org.opencontainers.image.title="ordertx inventory service"
COPY --from=bundle /src/dist/images/inventory/ ./

FROM production AS payment
LABEL org.opencontainers.image.title="ordertx payment service"
COPY --from=bundle /src/dist/images/payment/ ./

FROM production AS dispatch
LABEL org.opencontainers.image.title="ordertx dispatch service"
COPY --from=bundle /src/dist/images/dispatch/ ./

FROM production AS wms
LABEL org.opencontainers.image.title="ordertx warehouse service"
COPY --from=bundle /src/dist/images/wms/ ./

FROM production AS member
LABEL org.opencontainers.image.title="ordertx member service"
COPY --from=bundle /src/dist/images/member/ ./

FROM production AS notification
LABEL org.opencontainers.image.title="ordertx notification service"
COPY --from=bundle /src/dist/images/notification/ ./
