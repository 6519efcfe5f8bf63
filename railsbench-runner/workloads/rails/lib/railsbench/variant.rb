# frozen_string_literal: true

require "open3"
require "rbconfig"

module Railsbench
  # A way to run this Ruby: by its interpreter, or with YJIT where the build has it.
  Variant = Struct.new(:name, :flags, :description, keyword_init: true) do
    # All that this Ruby can do, interpreter first.
    def self.available
      [probe("interp", []), probe("yjit", ["--yjit"])].compact
    end

    # Asks the Ruby itself: whether a build has YJIT is not told by its version, and one that
    # lacks it refuses to start.
    def self.probe(name, flags)
      script = "print RUBY_DESCRIPTION; exit(#{flags.empty?} || RubyVM::YJIT.enabled?)"
      output, status = Open3.capture2e(CLEAN_ENVIRONMENT, RbConfig.ruby, *flags, "-e", script)
      new(name: name, flags: flags, description: output) if status.success?
    end

    def yjit?
      name == "yjit"
    end
  end

  # What the machine's environment must not change in a measured process. YJIT and other options
  # come by flags alone, the database is the suite's own, and no Gemfile narrows what is found.
  CLEAN_ENVIRONMENT = %w[
    RUBYOPT RUBY_YJIT_ENABLE BUNDLE_GEMFILE BUNDLE_PATH DATABASE_URL SECRET_KEY_BASE
    RAILS_MASTER_KEY RAILS_MAX_THREADS RAILS_MIN_THREADS RAILS_RELATIVE_URL_ROOT PORT
    WEB_CONCURRENCY PUMA_MAX_THREADS PUMA_MIN_THREADS PUMA_PERSISTENT_TIMEOUT
  ].to_h { |name| [name, nil] }.freeze
end
