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
  local dir=$cache/build/$1 stamp=$3
  # What is ours of it counts too.
  if [ "$1" = ferretdb ]; then stamp+=+$(sha256sum "$here/ferretdb/main.go" | cut -c1-12); fi
  have "$1" "$stamp" && return 0
  echo "building $1 $3 ..."
  rm -rf "$dir" && mkdir -p "$dir"
  local name=peers/$1
  if [ "$1" = ferretdb ]; then
    # Go lets a module use another's internal packages by its name.
    name=$2/peer
    cp "$here/ferretdb/main.go" "$dir/"
  fi
  printf 'module %s\n\ngo 1.24\n\nrequire %s %s\n' "$name" "$2" "$3" > "$dir/go.mod"
  (cd "$dir" && GONOSUMDB="$2" go build -ldflags "-s -w ${5:-}" -o "$bin/$1" "$4")
  done_with "$1" "$stamp"
}

# deb PACKAGE PATH NAME [PACKAGE...]: a program out of a Debian package, unpacked with others it needs and not installed:
# so no daemon starts, and the FTP servers, which exclude each other as packages, stand side by side
deb() {
  [ -x "$bin/$3" ] && return 0
  local package
  echo "unpacking $1 ..."
  for package in "$1" "${@:4}"; do
    (cd "$cache/debs" && rm -f "$package"_*.deb && apt-get -qq -o APT::Sandbox::User=root download "$package" > /dev/null)
    dpkg -x "$cache/debs/$package"_*.deb "$cache/root"
  done
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

# kubernetes VERSION PROGRAM...: Kubernetes' own programs, built together because they share nearly all their packages.
# Its go.mod names its staging modules v0.0.0, which only its own repository can resolve: each is replaced by its release.
kubernetes() {
  local version=$1 program missing=0 dir=$cache/build/kubernetes
  shift
  for program in "$@"; do have "$program" "$version" || missing=1; done
  [ $missing -eq 0 ] && return 0
  echo "building kubernetes $version (minutes) ..."
  rm -rf "$dir" && mkdir -p "$dir/bin"
  printf 'module peers/kubernetes\n\ngo 1.26\n\nrequire k8s.io/kubernetes %s\n' "$version" > "$dir/go.mod"
  (
    cd "$dir"
    export GONOSUMDB=k8s.io/kubernetes
    local mod
    mod=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
    sed -n 's/^[[:space:]]*\(k8s\.io\/[a-z0-9-]*\) v0\.0\.0$/\1/p' "$mod" | sort -u |
      while read -r module; do echo "replace $module v0.0.0 => $module v0${version#v1}"; done >> go.mod
    go build -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$version" -o bin/ "${@/#/k8s.io/kubernetes/cmd/}"
  )
  for program in "$@"; do
    mv "$dir/bin/$program" "$bin/$program"
    done_with "$program" "$version"
  done
}

# kwok VERSION: plays the kubelet. What its nodes and pods go through ("stages") lies in its module.
kwok() {
  have kwok "$1" && [ -s "$bin/kwok-stages.yaml" ] && return 0
  go_install kwok sigs.k8s.io/kwok/cmd/kwok "$1"
  local dir stage
  dir=$(go mod download -json "sigs.k8s.io/kwok@$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  for stage in node/fast/node-initialize node/heartbeat-with-lease/node-heartbeat-with-lease \
    pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete; do
    printf -- '---\n'
    cat "$dir/kustomize/stage/$stage.yaml"
  done > "$bin/kwok-stages.yaml"
}

tools=v0.0.0-20250715155915-887641268977
libraries libwrap0 libpam-pwdfile openssl ca-certificates curl zstd iproute2
libraries libhiredis0.14 libmemcached11 libmemcachedutil2 libpcre2-posix3 libsodium23 python3-pyftpdlib python3-openssl
# Of PostgreSQL; its package is unpacked, so that no cluster of its own is made and started.
libraries libpq5 libicu72 libldap-2.5-0 libgssapi-krb5-2 libxml2 libxslt1.1 liblz4-1 tzdata util-linux
for program in postgres initdb vsftpd proftpd pure-ftpd pure-pw promtool alertmanager libfaketime.so.1; do
  [ -x "$bin/$program" ] || { apt-get update -qq > /dev/null; break; }
done
deb postgresql-15 usr/lib/postgresql/15/bin/postgres postgres
deb postgresql-15 usr/lib/postgresql/15/bin/initdb initdb
deb vsftpd usr/sbin/vsftpd vsftpd
deb proftpd-core usr/sbin/proftpd proftpd proftpd-mod-crypto
deb pure-ftpd usr/sbin/pure-ftpd pure-ftpd pure-ftpd-common
deb pure-ftpd usr/bin/pure-pw pure-pw
install -m 755 "$here/pyftpdlib/server.py" "$bin/pyftpdlib"
deb prometheus usr/bin/promtool promtool
deb prometheus usr/bin/prometheus prometheus
deb prometheus-alertmanager usr/bin/prometheus-alertmanager alertmanager
# Debian's Alertmanager looks for its templates there and nowhere else.
templates=/usr/share/prometheus/alertmanager
[ -e "$templates/email.tmpl" ] || install -D -m 644 -t "$templates" "$cache/root$templates"/*.tmpl
deb libfaketime usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 libfaketime.so.1
chmod +x "$bin/libfaketime.so.1"
go_build ferretdb github.com/FerretDB/FerretDB v1.24.2 .
for tool in mongodump mongorestore bsondump; do
  go_build "$tool" github.com/mongodb/mongo-tools "$tools" "github.com/mongodb/mongo-tools/$tool/main" "-X main.VersionStr=100.12.2"
done
go_install mc github.com/minio/mc v0.0.0-20250313080218-cf909e1063a9
go_install minio github.com/minio/minio v0.0.0-20260212201848-7aac2a2c5b7c
go_install age filippo.io/age/cmd/age v1.3.2
go_install age-keygen filippo.io/age/cmd/age-keygen v1.3.2
go_install rclone github.com/rclone/rclone v1.76.0
go_install versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0
go_install toxiproxy github.com/Shopify/toxiproxy/v2/cmd/server v2.5.0
go_install helm helm.sh/helm/v3/cmd/helm v3.18.6
# Images are built and run by root only.
libraries buildah debootstrap podman runc
for program in buildah podman; do ln -sf "/usr/bin/$program" "$bin/$program"; done
go_install actionlint github.com/rhysd/actionlint/cmd/actionlint v1.7.12
go_install kube-score github.com/zegl/kube-score/cmd/kube-score v1.20.0
go_build etcd go.etcd.io/etcd/server/v3 v3.6.5 go.etcd.io/etcd/server/v3
kubernetes v1.36.4 kube-apiserver kube-controller-manager kube-scheduler kubectl
kwok v0.8.0
echo "peers are in $bin"
