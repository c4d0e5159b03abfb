#!/usr/bin/env bash
# Installs the real servers and stock tools that `npm run test:peers` runs against, into a cache folder.
# Idempotent: what is there in the right version is skipped. Needs Go, apt (as root) and the package registries.
#   PEERS_CACHE  where to (default: ~/.cache/palette-backup/peers)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${PEERS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/palette-backup/peers}
bin=$cache/bin
mkdir -p "$bin" "$cache/build" "$cache/debs" "$cache/root"
export GOFLAGS="-mod=mod" CGO_ENABLED=0

have() { [ -x "$bin/$1" ] && [ "$(cat "$bin/$1.version" 2>/dev/null)" = "$2" ]; }
done_with() { echo "$2" > "$bin/$1.version"; echo "installed $1 $2"; }

# go_install NAME PACKAGE VERSION: a program whose module can be installed as it is
go_install() {
  have "$1" "$3" && return 0
  echo "installing $1 $3 ..."
  GOFLAGS="" GOBIN="$cache/build/bin-$1" go install -ldflags '-s -w' "$2@$3"
  mv "$cache/build/bin-$1/"* "$bin/$1"
  done_with "$1" "$3"
}

# go_build NAME MODULE VERSION PACKAGE [LDFLAGS]: a program whose checksums are not served, built from a module of our own
go_build() {
  have "$1" "$3" && return 0
  echo "building $1 $3 ..."
  local dir=$cache/build/$1
  rm -rf "$dir" && mkdir -p "$dir"
  printf 'module peers/%s\n\ngo 1.24\n\nrequire %s %s\n' "$1" "$2" "$3" > "$dir/go.mod"
  if [ "$1" = ferretdb ]; then cp "$here/ferretdb/main.go" "$dir/"; fi
  (cd "$dir" && GONOSUMDB="$2" go build -ldflags "-s -w ${5:-}" -o "$bin/$1" "$4")
  done_with "$1" "$3"
}

# deb PACKAGE PATH NAME: a program out of a Debian package, unpacked and not installed, so that no daemon starts
deb() {
  [ -x "$bin/$3" ] && return 0
  echo "unpacking $1 ..."
  (cd "$cache/debs" && rm -f "$1"_*.deb && apt-get download "$1" > /dev/null)
  dpkg -x "$cache/debs/$1"_*.deb "$cache/root"
  ln -sf "$cache/root/$2" "$bin/$3"
  echo "installed $3"
}

# libraries PACKAGE...: shared libraries the unpacked servers link against
libraries() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  apt-get update -qq > /dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

tools=v0.0.0-20250715155915-887641268977
libraries libwrap0 libpam-pwdfile openssl ca-certificates curl zstd
[ -x "$bin/vsftpd" ] && [ -x "$bin/promtool" ] || apt-get update -qq > /dev/null
deb vsftpd usr/sbin/vsftpd vsftpd
deb prometheus usr/bin/promtool promtool
go_build ferretdb github.com/FerretDB/FerretDB v1.24.2 .
for tool in mongodump mongorestore bsondump; do
  go_build "$tool" github.com/mongodb/mongo-tools "$tools" "github.com/mongodb/mongo-tools/$tool/main" "-X main.VersionStr=100.12.2"
done
go_install mc github.com/minio/mc v0.0.0-20250313080218-cf909e1063a9
go_install minio github.com/minio/minio v0.0.0-20260212201848-7aac2a2c5b7c
go_install rclone github.com/rclone/rclone v1.76.0
go_install versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0
go_install toxiproxy github.com/Shopify/toxiproxy/v2/cmd/server v2.5.0
go_install helm helm.sh/helm/v3/cmd/helm v3.18.6
go_install kube-score github.com/zegl/kube-score/cmd/kube-score v1.20.0
echo "peers are in $bin"
