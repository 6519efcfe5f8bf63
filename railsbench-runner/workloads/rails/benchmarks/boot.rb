# frozen_string_literal: true

require "open3"

module Railsbench
  module Benchmarks
    # A cold start of the application in a new process, timed from outside. An iteration is one
    # process.
    class Boot < Benchmark
      PROGRAM = File.expand_path("../processes/boot.rb", __dir__)

      private

      # The application is booted elsewhere.
      def boot; end

      def prepare
        @peak_bytes = 0
      end

      # Every iteration checks itself. The first also brings the files into memory, and is always
      # part of the warm-up: what is timed is not the disk.
      def check; end

      def take_samples
        Sampler.new(job.timing, samples: job.timing.process_samples).sample { iterate }
      end

      def iterate
        output, status = Open3.capture2(RbConfig.ruby, *job.flags, PROGRAM, stdin_data: "")
        raise Failure, "the application did not boot: #{status}" unless status.success?

        told = JSON.parse(output)
        expect "books in the database", 600, told["books"]
        @ruby_description = told.fetch("ruby_description")
        @peak_bytes = [@peak_bytes, told.fetch("peak_bytes")].max
      end

      attr_reader :peak_bytes, :ruby_description
    end
  end
end
