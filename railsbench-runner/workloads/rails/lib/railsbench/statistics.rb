# frozen_string_literal: true

module Railsbench
  # The few figures that a person sees while a suite runs. Verdicts are made elsewhere.
  module Statistics
    # By linear interpolation between the two nearest ranks; `share` is from 0 to 1.
    def self.quantile(values, share)
      raise ArgumentError, "no values" if values.empty?

      sorted = values.sort
      position = (sorted.size - 1) * share
      below = sorted[position.floor]
      below + ((sorted[position.ceil] - below) * (position - position.floor))
    end

    def self.median(values)
      quantile(values, 0.5)
    end

    # The range of the middle half, relative to the median.
    def self.spread(values)
      (quantile(values, 0.75) - quantile(values, 0.25)) / median(values)
    end
  end
end
