# frozen_string_literal: true

module Railsbench
  # What went wrong, in words for whoever reads output.txt, and the exit code that says its kind.
  # The codes are those of sysexits.h where it has one.
  class Failure < StandardError
    WORKLOAD = 1
    USAGE = 64
    UNAVAILABLE = 69
    STOPPED = 143

    attr_reader :exit_code

    def initialize(message, exit_code: WORKLOAD)
      super(message)
      @exit_code = exit_code
    end
  end
end
