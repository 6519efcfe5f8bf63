# frozen_string_literal: true

# Runs the suite as docs/workload.md says: reads what to do from RAILSBENCH_SPEC, writes
# output.json and output.csv to RAILSBENCH_OUTPUT_DIR, and nothing outside of it and of
# RAILSBENCH_SCRATCH_DIR.

OLDEST_RUBY = "3.1"
if Gem::Version.new(RUBY_VERSION) < Gem::Version.new(OLDEST_RUBY)
  warn "railsbench: Ruby #{OLDEST_RUBY} or later is needed; the ruby on the PATH is #{RUBY_VERSION}"
  exit 69
end

require_relative "lib/railsbench/driver"
require_relative "lib/railsbench/progress"
require_relative "lib/railsbench/specification"

def folder(variable)
  path = ENV.fetch(variable) do
    raise Railsbench::Failure.new("#{variable} is not set: see docs/workload.md",
                                  exit_code: Railsbench::Failure::USAGE)
  end
  return File.expand_path(path) if File.directory?(path)

  raise Railsbench::Failure.new("#{variable} is #{path}, which is not a folder",
                                exit_code: Railsbench::Failure::USAGE)
end

# A new machine may have no locale.
Encoding.default_external = Encoding::UTF_8
$stdout.sync = true
driver = nil
begin
  specification = Railsbench::Specification.load(ENV.fetch("RAILSBENCH_SPEC") do
    raise Railsbench::Failure.new("RAILSBENCH_SPEC is not set: see docs/workload.md",
                                  exit_code: Railsbench::Failure::USAGE)
  end)
  driver = Railsbench::Driver.new(
    specification, progress: Railsbench::Progress.open(ENV.fetch("RAILSBENCH_PROGRESS", nil)),
                   output: folder("RAILSBENCH_OUTPUT_DIR"),
                   scratch: folder("RAILSBENCH_SCRATCH_DIR")
  )
  driver.run
rescue Railsbench::Failure => failure
  warn "railsbench: #{failure.message}"
  exit failure.exit_code
rescue SignalException
  # A second signal must not cut the clearing up short.
  %w[TERM INT HUP].each { |name| trap(name, "IGNORE") }
  driver&.stop
  exit Railsbench::Failure::STOPPED
end
