# frozen_string_literal: true

# Measures one benchmark in one variant.

require_relative "../lib/railsbench/benchmark"
require_relative "../lib/railsbench/child"

Railsbench::Child.run do |fields|
  timing = Struct.new(*fields.fetch(:timing).keys, keyword_init: true).new(**fields.fetch(:timing))
  job = Railsbench::Benchmark::Job.new(**fields, timing: timing)

  measurement = Railsbench::Benchmark.named(job.benchmark).new(job).run

  # The figures must be of the variant whose name they carry. YJIT can also be switched on later,
  # which the description does not tell.
  description = measurement.fetch(:RUBY_DESCRIPTION)
  compiled = defined?(RubyVM::YJIT) ? RubyVM::YJIT.enabled? : false
  unless [description.include?("+YJIT"), compiled].uniq == [job.variant == "yjit"]
    raise Railsbench::Failure, "was run by #{description}, YJIT #{compiled ? "on" : "off"}: " \
                               "that is not variant #{job.variant}"
  end

  measurement
end
