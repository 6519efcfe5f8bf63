# frozen_string_literal: true

require "etc"
require "json"
require_relative "failure"

module Railsbench
  # What the runner asks for: the file that RAILSBENCH_SPEC names, checked once.
  class Specification
    # How long to warm up and to measure, in seconds, and how many samples there are at least.
    # Process samples are those that cost a whole process each.
    Timing = Struct.new(:warmup_seconds, :measured_seconds, :samples, :process_samples,
                        keyword_init: true)

    # Warm-up as a share of the measured time.
    WARMUP_SHARE = 0.5
    FULL = { measured_seconds: 10.0, samples: 10, process_samples: 5 }.freeze
    QUICK = { measured_seconds: 0.8, samples: 3, process_samples: 2 }.freeze

    attr_reader :benchmarks, :timing, :vcpus

    # All that the suite has, in running order.
    def self.available
      manifest = File.expand_path("../../workload.json", __dir__)
      JSON.parse(File.read(manifest)).fetch("benchmarks")
    end

    def self.load(path)
      new(JSON.parse(File.read(path)))
    rescue SystemCallError, JSON::ParserError => error
      raise Failure.new("the specification #{path} cannot be read: #{error.message}",
                        exit_code: Failure::USAGE)
    end

    def initialize(fields)
      refuse "it is not a JSON object" unless fields.is_a?(Hash)

      @benchmarks = chosen(fields["benchmarks"] || [])
      @quick = fields["quick"] == true
      @timing = timing_for(fields["min_seconds"])
      @vcpus = fields["vcpus"] || Etc.nprocessors
      refuse "vcpus is #{@vcpus.inspect}, not a positive whole number" unless
        @vcpus.is_a?(Integer) && @vcpus.positive?
      check_ruby(fields["ruby_version"])
    end

    def quick?
      @quick
    end

    private

    # In the suite's own order, so that two runs of the same choice do the same.
    def chosen(names)
      refuse "benchmarks is #{names.inspect}, not a list of names" unless names.is_a?(Array)

      available = self.class.available
      unknown = names - available
      return names.empty? ? available : available & names if unknown.empty?

      refuse "there is no benchmark #{unknown.join(", ")}; there are #{available.join(", ")}"
    end

    def timing_for(min_seconds)
      usual = quick? ? QUICK : FULL
      unless min_seconds.nil? || (min_seconds.is_a?(Numeric) && min_seconds.positive?)
        refuse "min_seconds is #{min_seconds.inspect}, not a positive number of seconds"
      end
      measured = min_seconds&.to_f || usual.fetch(:measured_seconds)
      Timing.new(**usual, measured_seconds: measured, warmup_seconds: measured * WARMUP_SHARE)
    end

    # The figures would carry the wrong name if another Ruby came first on the PATH.
    def check_ruby(version)
      wanted = version.to_s[/\A(?:ruby-)?(\d+(?:\.\d+)*)/, 1]
      return if wanted.nil? || RUBY_VERSION == wanted || RUBY_VERSION.start_with?("#{wanted}.")

      raise Failure.new("Ruby #{version} is asked for, but the ruby on the PATH is " \
                        "#{RUBY_VERSION} (#{RbConfig.ruby}): put the right one first on the PATH",
                        exit_code: Failure::UNAVAILABLE)
    end

    def refuse(problem)
      raise Failure.new("the specification is wrong: #{problem}", exit_code: Failure::USAGE)
    end
  end
end
