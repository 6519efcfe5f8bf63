# frozen_string_literal: true

module Railsbench
  # Seconds that only go forward. On one machine all processes share the same zero.
  module Clock
    def self.now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
