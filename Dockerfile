# Build: compile to JavaScript and keep production dependencies only.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY agent ./agent
RUN npm run build && npm prune --omit=dev --ignore-scripts

# Run: no compiler, no dev dependency, no root, nothing written outside /tmp.
FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /opt/palette-backup
COPY --from=build /src/package.json ./package.json
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
COPY config ./config
COPY LICENSE ./
RUN ln -s /opt/palette-backup/dist/main.js /usr/local/bin/palette-backup && chmod +x dist/main.js
USER 65532:65532
EXPOSE 9180
ENTRYPOINT ["palette-backup"]
CMD ["agent", "--host", "0.0.0.0", "--config", "/etc/palette-backup/palette-backup.yaml"]
