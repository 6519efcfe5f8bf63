# frozen_string_literal: true

require "json"
require_relative "failure"
require_relative "lifeline"

module Railsbench
  # The frame of a process that the driver starts: reads its job, and writes what the block returns
  # or why it failed to the file that the driver reads.
  module Child
    def self.run
      Lifeline.hold
      Encoding.default_external = Encoding::UTF_8
      job_path, result_path = ARGV
      result = yield JSON.parse(File.read(job_path), symbolize_names: true)
      File.write(result_path, JSON.generate(result))
    rescue LoadError => error
      fail_with(result_path, "cannot load what it needs: #{error.message}", Failure::UNAVAILABLE)
    rescue Failure => failure
      fail_with(result_path, failure.message, failure.exit_code)
    rescue StandardError, NotImplementedError => error
      warn error.full_message(highlight: false)
      fail_with(result_path, "#{error.class}: #{error.message}", Failure::WORKLOAD)
    end

    def self.fail_with(result_path, message, exit_code)
      File.write(result_path, JSON.generate({ failure: message }))
      exit exit_code
    end
    private_class_method :fail_with
  end
end
