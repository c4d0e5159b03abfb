#!/usr/bin/env bash
# Builds the image from the Dockerfile, without a container registry: what it is FROM is made here, from Debian's own
# packages and the `node` binary of npm. Needs root, buildah and debootstrap. Idempotent; the last line is the image's name.
#   PEERS_CACHE  where the local images are kept (default: ~/.cache/palette-backup/peers)
set -euo pipefail
project=$(cd "$(dirname "$0")/../.." && pwd)
cache=${PEERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/palette-backup/peers}/image
mkdir -p "$cache"
storage=(--root "$cache/graph" --runroot "$cache/run" --storage-driver "${STORAGE_DRIVER:-overlay}")
export BUILDAH_ISOLATION=chroot
build() { buildah "${storage[@]}" "$@"; }
has() { build inspect --type image "$1" > /dev/null 2>&1; }

# base ROOT NAME: an image out of a folder
base() {
  local container
  tar -C "$1" -cf "$cache/base.tar" .
  container=$(build from scratch)
  build add --quiet "$container" "$cache/base.tar" / > /dev/null
  build config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd '["bash"]' "$container"
  build commit --quiet --rm "$container" "$2" > /dev/null
  rm "$cache/base.tar"
}

debian=docker.io/library/debian:bookworm-slim
node=docker.io/library/node:24-bookworm-slim
if ! has "$debian" || ! has "$node"; then
  root=$cache/root
  rm -rf "$root"
  mirror=$(sed -n 's/^URIs: //p' /etc/apt/sources.list.d/debian.sources 2> /dev/null | head -1)
  debootstrap --variant=minbase bookworm "$root" "${mirror:-http://deb.debian.org/debian}" > "$cache/debootstrap.log"
  # As the slim image does.
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}/*
  base "$root" "$debian"
  cp "$project/node_modules/.bin/node" "$root/usr/local/bin/node"
  npm pack --silent --pack-destination "$cache" npm@11 > /dev/null 2>&1
  mkdir -p "$root/usr/local/lib/node_modules/npm"
  tar -xzf "$cache"/npm-11*.tgz --strip-components=1 -C "$root/usr/local/lib/node_modules/npm"
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  # What this machine reaches the registry with. It stays in the image that builds, and is in no layer of the result.
  mkdir -p "$root/usr/local/etc" "$root/etc/ssl/certs"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  printf 'cafile=/etc/ssl/certs/ca-certificates.crt\nregistry=%s\n' "$(npm config get registry)" > "$root/usr/local/etc/npmrc"
  base "$root" "$node"
  rm -rf "$root"
fi

name=localhost/palette-backup:test
build bud --quiet --pull-never --format docker -t "$name" "$project" > /dev/null
# The one it replaces.
build rmi --prune > /dev/null 2>&1 || true
echo "$name"
