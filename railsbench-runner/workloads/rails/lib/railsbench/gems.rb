# frozen_string_literal: true

require "rubygems"
require_relative "failure"

module Railsbench
  # Says in time, and with the fix, what is missing to run the suite.
  module Gems
    # Gem name to Debian package.
    NEEDED = {
      "rails" => "ruby-rails",
      "sqlite3" => "ruby-sqlite3",
      "puma" => "puma"
    }.freeze
    # The parts of Rails that the suite loads; some distributions have them without the whole.
    PARTS_OF_RAILS = %w[railties activerecord actionpack actionview].freeze
    OLDEST_RAILS = "6.1"

    # Looks without loading: which version of a gem fits is for the gems that need it to say.
    def self.check
      missing = NEEDED.keys.reject { |name| installed?(name) }
      return if missing.empty?

      raise Failure.new("#{RbConfig.ruby} lacks #{missing.join(", ")} " \
                        "(Rails must be #{OLDEST_RAILS} or later). On Debian: apt-get install " \
                        "--no-install-recommends #{NEEDED.values_at(*missing).join(" ")}. " \
                        "Elsewhere: gem install #{missing.join(" ")}",
                        exit_code: Failure::UNAVAILABLE)
    end

    def self.installed?(name)
      return PARTS_OF_RAILS.all? { |part| found?(part, ">= #{OLDEST_RAILS}") } if name == "rails"

      found?(name)
    end

    def self.found?(name, *requirement)
      !Gem::Specification.find_all_by_name(name, *requirement).empty?
    end
    private_class_method :found?
  end
end
