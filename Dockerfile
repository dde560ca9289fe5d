# syntax=docker/dockerfile:1
FROM node:24-trixie-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts

FROM node:24-trixie-slim
# What is compiled once starts in two thirds of the time, and takes 20 MB less.
ENV NODE_ENV=production DATA_DIR=/data NODE_COMPILE_CACHE=/app/.compiled
WORKDIR /app
RUN install -d -o node -g node /data .compiled
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY machines machines
COPY src src
USER node
RUN ["node", "--no-allocation-site-pretenuring", "--input-type=module", "--eval", "import './src/broker.ts'"]
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8000}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# The exec form: node is what gets SIGTERM, and open worker calls may finish.
# docs/performance.md tells what the flag is for.
CMD ["node", "--no-allocation-site-pretenuring", "src/main.ts"]
