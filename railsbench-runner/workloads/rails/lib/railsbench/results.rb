# frozen_string_literal: true

require "json"

module Railsbench
  # Collects what was measured and writes output.json and output.csv. Each write replaces whole
  # files, so that what is there is complete whenever the suite is stopped.
  class Results
    def initialize(folder, descriptions:, rails_version:, quick:)
      @folder = folder
      @metadata = { ruby_descriptions: descriptions, rails_version: rails_version, quick: quick }
      @raw_data = {}
    end

    # `measurement` has the fields of one benchmark in docs/workload.md.
    def record(variant, benchmark, measurement)
      (@raw_data[variant] ||= {})[benchmark] = measurement
      write
    end

    def write
      replace("output.csv", csv)
      replace("output.json", JSON.generate({ metadata: @metadata, raw_data: @raw_data }))
    end

    private

    def csv
      lines = ["variant,benchmark,phase,iteration,seconds"]
      @raw_data.each do |variant, benchmarks|
        benchmarks.each do |benchmark, measurement|
          %w[warmup bench].each do |phase|
            measurement.fetch(phase).each.with_index(1) do |seconds, iteration|
              lines << "#{variant},#{benchmark},#{phase},#{iteration},#{seconds}"
            end
          end
        end
      end
      "#{lines.join("\n")}\n"
    end

    def replace(name, content)
      path = File.join(@folder, name)
      unfinished = "#{path}.unfinished"
      File.write(unfinished, content)
      File.rename(unfinished, path)
    end
  end
end
