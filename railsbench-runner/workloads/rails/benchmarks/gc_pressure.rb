# frozen_string_literal: true

require_relative "../lib/railsbench/in_process_client"

module Railsbench
  module Benchmarks
    # A report that loads thousands of records and adds them up in Ruby. An iteration is one
    # request; what the garbage collector did while measuring is reported beside the times.
    class GcPressure < Benchmark
      COUNTERS = %i[count minor_gc_count major_gc_count total_allocated_objects].freeze

      private

      def prepare
        @client = InProcessClient.new
        @request = @client.request("GET", "/reports/sales", accept: "text/html")
      end

      def check
        body = @client.fetch(@request).body
        expect "rows of genres and customers", Book::GENRES.size + 50 + 2, body.scan("<tr>").size
        sold = LineItem.joins(:book).where(books: { genre: "crime" }).sum(:quantity)
        copies = ActiveSupport::NumberHelper.number_to_delimited(sold)
        expect "copies of crime", %r{<td>Crime</td><td>#{copies}</td>}, body
      end

      def before_measuring
        @before = statistics
      end

      def iterate
        @client.perform(@request)
      end

      def take_samples
        super.tap { @after = statistics }
      end

      def statistics
        counters = COUNTERS.to_h { |name| [name, GC.stat(name)] }
        # Nanoseconds, since Ruby 3.1.
        counters.merge(gc_seconds: GC.total_time / 1e9)
      end

      def extra
        @after.to_h { |name, value| [name, value - @before.fetch(name)] }
      end
    end
  end
end
