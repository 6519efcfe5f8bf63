# frozen_string_literal: true

require "fileutils"
require "json"
require "rbconfig"
require_relative "application"
require_relative "failure"
require_relative "gems"
require_relative "process_group"
require_relative "results"
require_relative "statistics"
require_relative "variant"

module Railsbench
  # Runs the benchmarks, each in each variant, every one in a fresh process, and collects what they
  # measured. It only waits while they run.
  class Driver
    PROCESSES = File.expand_path("../../processes", __dir__)
    SEEDED_DATABASE = "seeded.sqlite3"

    def initialize(specification, progress:, output:, scratch:)
      @specification = specification
      @progress = progress
      @output = output
      @scratch = scratch
      @failures = []
    end

    # Returns once all were run; raises if any failed, after the others.
    def run
      Gems.check
      @variants = Variant.available
      report_missing_yjit
      rails_version = prepare_database
      @results = Results.new(@output, rails_version: rails_version, quick: @specification.quick?,
                                      descriptions: descriptions)
      @results.write
      run_all
      raise Failure, "failed: #{@failures.join("; ")}" unless @failures.empty?
    end

    # Ends the process that is running, if any.
    def stop
      @running&.stop
    end

    private

    def descriptions
      @variants.to_h { |variant| [variant.name, variant.description] }
    end

    def report_missing_yjit
      return if @variants.any?(&:yjit?)

      text = "#{RUBY_DESCRIPTION} has no YJIT: only the interpreter is measured"
      @progress.message(text)
      puts text
    end

    # The variants of a benchmark follow each other, so that a machine that becomes slower or
    # faster in the course of the run does it to both.
    def run_all
      pairs = @specification.benchmarks.product(@variants)
      pairs.each_with_index do |(benchmark, variant), done|
        @progress.begins(benchmark, variant.name, done: done, total: pairs.size)
        measure(benchmark, variant)
      rescue Failure => failure
        @failures << failure.message
        @progress.message(failure.message)
      end
    end

    def measure(benchmark, variant)
      folder = File.join(@scratch, "#{benchmark}-#{variant.name}")
      Dir.mkdir(folder)
      database = File.join(folder, "bookshop.sqlite3")
      FileUtils.cp(File.join(@scratch, SEEDED_DATABASE), database)

      measurement = child("benchmark.rb", folder, database, flags: variant.flags, job: {
        benchmark: benchmark, variant: variant.name, flags: variant.flags,
        timing: @specification.timing.to_h, vcpus: @specification.vcpus, scratch: folder
      })
      @results.record(variant.name, benchmark, measurement)
      report(benchmark, variant, measurement)
    ensure
      FileUtils.rm_rf(folder)
    end

    # Seeds the database that every benchmark starts from, and returns the version of Rails.
    def prepare_database
      @progress.message("preparing the database")
      child("prepare.rb", @scratch, File.join(@scratch, SEEDED_DATABASE)).fetch("rails_version")
    end

    # Runs one of processes/ and returns what it wrote.
    def child(program, folder, database, flags: [], job: {})
      result = File.join(folder, "result.json")
      job_path = File.join(folder, "job.json")
      File.write(job_path, JSON.generate(job))
      @running = ProcessGroup.new(
        RbConfig.ruby, *flags, File.join(PROCESSES, program), job_path, result,
        environment: CLEAN_ENVIRONMENT.merge(
          Application.environment(scratch: folder, database: database)
        )
      )
      status = @running.wait
      @running = nil
      return JSON.parse(File.read(result)) if status.success?

      raise explanation(program, job, result, status)
    end

    def explanation(program, job, result, status)
      what = job.empty? ? program : "#{job[:benchmark]} (#{job[:variant]})"
      told = JSON.parse(File.read(result))["failure"] if File.exist?(result)
      how = if told then told
            elsif status.termsig == Signal.list["KILL"] then "was killed, as when memory runs out"
            else "ended with #{status.to_s.sub(/\Apid \d+ /, "")}"
            end
      Failure.new("#{what}: #{how}", exit_code: status.exitstatus || Failure::WORKLOAD)
    end

    def report(benchmark, variant, measurement)
      times = measurement.fetch("bench")
      puts format("%-20s %-7s median %10.4f ms  middle half %5.1f %%  %5d samples after %4d  " \
                  "%5d MiB", benchmark, variant.name, Statistics.median(times) * 1000,
                  Statistics.spread(times) * 100, times.size, measurement.fetch("warmup").size,
                  measurement.fetch("rss") / (1024 * 1024))
    end
  end
end
