# frozen_string_literal: true

require_relative "clock"

module Railsbench
  # Takes times, first to warm up and then to measure, and keeps all of them.
  class Sampler
    Samples = Struct.new(:warmup, :bench, keyword_init: true)

    # `samples`: how many are measured at least. `iterations`: how many iterations one sample
    # does; the times are seconds per iteration.
    def initialize(timing, samples: timing.samples, iterations: 1, clock: Clock)
      @timing = timing
      @samples = samples
      @iterations = iterations
      @clock = clock
    end

    # Times the block again and again. `before_measuring` is called between the two parts.
    def sample(before_measuring: -> {}, &block)
      warmup = collect(@timing.warmup_seconds, 1, &block)
      # What warming up and the checks left behind is not the measured part's to clear away.
      GC.start
      before_measuring.call
      Samples.new(warmup: warmup, bench: collect(@timing.measured_seconds, @samples, &block))
    end

    private

    def collect(seconds, at_least)
      times = []
      finish = @clock.now + seconds
      loop do
        before = @clock.now
        yield
        after = @clock.now
        times << ((after - before) / @iterations)
        return times if times.size >= at_least && after >= finish
      end
    end
  end
end
