#!/bin/sh
# Makes a base for the runner image of Debian's own packages, where no registry can be reached:
# a small Debian with Ruby, Rails and Puma. The first argument is the tag, the second the release.
# Needs root and debootstrap.
#
#   railsbench-runner/image/debian-base.sh railsbench-debian:bookworm bookworm
#   railsbench image build --base railsbench-debian:bookworm
set -eu
tag=$1
release=$2
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
debootstrap --variant=minbase \
  --include=ca-certificates,ruby,ruby-rails,ruby-sqlite3,puma "$release" "$folder/root" "$mirror" >"$folder/log" 2>&1 || {
  tail -n 20 "$folder/log" >&2
  exit 1
}
# What only the package manager and readers need.
rm -rf "$folder"/root/var/cache/apt/* "$folder"/root/var/lib/apt/lists/* \
  "$folder"/root/usr/share/doc/* "$folder"/root/usr/share/man/* "$folder"/root/usr/share/locale/*
tar -C "$folder/root" --numeric-owner --create . |
  docker import --change 'ENV LANG=C.UTF-8' --change 'CMD ["/bin/sh"]' - "$tag"
