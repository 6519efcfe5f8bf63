#!/bin/sh
# Runs in the first stage of the image: looks at the Ruby, and installs the gems of the workload
# into /opt/railsbench/gems, unless the base has them already.
set -eu
gems=/opt/railsbench/gems
mkdir -p "$gems"

failed() {
  printf 'railsbench: %s\n' "$1" >&2
  exit 69 # EX_UNAVAILABLE of sysexits.h
}

# What the version of Ruby, or of Rails, that is wanted says: all of it, or its beginning.
is_of() {
  case ".$1." in
    ".$2."*) ;;
    *) return 1 ;;
  esac
}

# Prints the version of Rails if all that the workload loads is there.
rails_version() {
  ruby -e '%w[logger rails active_record action_controller action_view sqlite3 puma].each { |file| require file }
    puts Rails.version' 2>/dev/null
}

has_gems() {
  version=$(rails_version) || return 1
  [ -z "$RAILSBENCH_RAILS" ] || is_of "$version" "$RAILSBENCH_RAILS"
}

install_compilers() {
  if command -v cc >/dev/null && command -v make >/dev/null &&
    ruby -rmkmf -e 'exit have_header("ruby.h")' >/dev/null 2>&1; then
    return 0
  fi
  command -v apt-get >/dev/null || failed 'the base has no compiler and no apt-get; install a C compiler, make and the headers of Ruby in it'
  packages='g++ gcc libc6-dev libyaml-dev make'
  # The headers of Debian's own Ruby are a package of their own.
  if dpkg -S "$(command -v ruby)" >/dev/null 2>&1; then
    packages="$packages ruby-dev ruby-bundler"
  fi
  apt-get update
  # shellcheck disable=SC2086 # the packages are words
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages
}

command -v ruby >/dev/null || failed 'the base has no Ruby'
found=$(ruby -e 'puts RUBY_VERSION')
ruby -e 'exit Gem.ruby_version >= Gem::Version.new("3.1")' || failed "the base has Ruby $found, and the workload needs 3.1 or newer"
if [ -n "$RAILSBENCH_RUBY" ] && ! is_of "$found" "$RAILSBENCH_RUBY"; then
  failed "the base has Ruby $found, not $RAILSBENCH_RUBY"
fi
if has_gems; then
  echo "railsbench: the base has Rails $version"
  exit 0
fi
install_compilers
export GEM_HOME="$gems" BUNDLE_GEMFILE=/opt/railsbench/Gemfile BUNDLE_PATH__SYSTEM=true
export BUNDLE_JOBS=4 BUNDLE_RETRY=3 BUNDLE_SILENCE_ROOT_WARNING=1
bundle install
rm -rf "$gems/cache"
has_gems || failed "Rails $RAILSBENCH_RAILS cannot be loaded after it was installed"
echo "railsbench: installed Rails $version"
