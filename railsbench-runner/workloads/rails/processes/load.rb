# frozen_string_literal: true

# Loads a server from several connections and prints when each request ended and how long it took,
# both as seconds in native doubles. Needs nothing but Ruby's core, so that it starts fast and takes
# as little as it can from the server that it shares the machine with.

require "json"
require_relative "../lib/railsbench/closed_loop"

job = JSON.parse(ARGV.fetch(0), symbolize_names: true)
begin
  times = Railsbench::ClosedLoop.new(**job).run
rescue Railsbench::Failure => failure
  warn failure.message
  exit failure.exit_code
end
$stdout.binmode
$stdout.write(times.pack("d*"))
