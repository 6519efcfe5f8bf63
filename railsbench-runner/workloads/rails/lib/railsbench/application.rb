# frozen_string_literal: true

require_relative "failure"

module Railsbench
  # The Rails application that is measured, and the environment it is started in.
  module Application
    FOLDER = File.expand_path("../../application", __dir__)

    # For a process that boots it on a database of its own.
    def self.environment(scratch:, database:)
      {
        "RAILS_ENV" => "production",
        "RACK_ENV" => "production",
        "RAILSBENCH_SCRATCH_DIR" => scratch,
        "RAILSBENCH_DATABASE" => database,
        # Uploads and other temporary files.
        "TMPDIR" => scratch
      }
    end

    # Boots it in this process.
    def self.boot
      require File.join(FOLDER, "config", "environment")
    end
  end
end
