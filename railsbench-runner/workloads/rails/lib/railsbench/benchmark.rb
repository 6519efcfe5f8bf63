# frozen_string_literal: true

require_relative "application"
require_relative "failure"
require_relative "memory"
require_relative "sampler"

module Railsbench
  # What every benchmark is: it prepares, checks that its work gives the right result, and is then
  # sampled. A file in benchmarks/ defines one, as Railsbench::Benchmarks::NameInCamelCase.
  #
  # How many iterations a sample does is fixed for each benchmark and the same on every machine,
  # so that figures can be compared. It is chosen for samples of 10 to 100 ms: long beside the
  # clock's resolution and a garbage collection, short beside the measured time.
  class Benchmark
    # What the driver hands to the process of one benchmark.
    Job = Struct.new(:benchmark, :variant, :flags, :timing, :vcpus, :scratch, keyword_init: true)

    class << self
      def iterations_per_sample(count = nil)
        count ? @iterations_per_sample = count : @iterations_per_sample || 1
      end

      # Loads the benchmark of this name from its file.
      def named(name)
        require File.expand_path("../../benchmarks/#{name}", __dir__)
        Benchmarks.const_get(name.split("_").map(&:capitalize).join)
      end
    end

    attr_reader :job

    def initialize(job)
      @job = job
    end

    # The fields of one benchmark in output.json.
    def run
      boot
      prepare
      check
      samples = take_samples
      check_afterwards
      {
        bench: samples.bench, warmup: samples.warmup, rss: peak_bytes,
        RUBY_DESCRIPTION: ruby_description,
        iterations_per_sample: self.class.iterations_per_sample, extra: extra
      }
    end

    private

    # Most benchmarks run the application in this very process.
    def boot
      Application.boot
    end

    def prepare; end

    # Raises unless the work that is about to be timed gives what it should.
    def check
      raise NotImplementedError
    end

    # Does the iterations of one sample.
    def iterate
      raise NotImplementedError
    end

    # Raises if the samples left something that they should not.
    def check_afterwards; end

    def take_samples
      Sampler.new(job.timing, iterations: self.class.iterations_per_sample)
             .sample(before_measuring: method(:before_measuring)) { iterate }
    end

    def before_measuring; end

    def peak_bytes
      Memory.peak_bytes
    end

    def ruby_description
      RUBY_DESCRIPTION
    end

    def extra
      {}
    end

    # `expected` may be a value, a pattern, a range or a class.
    def expect(what, expected, actual)
      return if expected === actual

      raise Failure, "#{what}: expected #{expected.inspect}, got #{actual.inspect[0, 500]}"
    end
  end

  # Filled by the files in benchmarks/.
  module Benchmarks
  end
end
