# frozen_string_literal: true

require "json"

module Railsbench
  # Tells the runner, through its named pipe, what is being run. A suite that is started by hand
  # has no pipe, and measuring never waits for a reader: what cannot be told at once is dropped.
  class Progress
    LONGEST_LINE = 4096

    def self.open(path)
      return new(nil) if path.nil? || path.empty?

      # Without NONBLOCK this would wait for a reader, possibly for ever.
      pipe = File.open(path, File::WRONLY | File::NONBLOCK)
      pipe.sync = true
      new(pipe)
    rescue SystemCallError
      new(nil)
    end

    def initialize(pipe)
      @pipe = pipe
    end

    def begins(benchmark, variant, done:, total:)
      write({ benchmark: benchmark, variant: variant, done: done, total: total })
    end

    def message(text)
      # A character takes at most six bytes in JSON ("\u0000"), and the rest of the line a few.
      write({ message: text.scrub[0, (LONGEST_LINE / 6) - 10] })
    end

    private

    def write(fields)
      line = "#{JSON.generate(fields)}\n"
      @pipe&.write_nonblock(line)
    rescue SystemCallError
      nil
    end
  end
end
