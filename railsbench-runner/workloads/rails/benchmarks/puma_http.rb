# frozen_string_literal: true

require "json"
require "open3"
require_relative "../lib/railsbench/puma_server"
require_relative "../lib/railsbench/statistics"

module Railsbench
  module Benchmarks
    # The whole machine: Puma with a worker per virtual CPU, and on the same machine clients that
    # never let it rest. A time is the length of a window divided by the requests that ended in it,
    # so the seconds per request of all workers together.
    class PumaHttp < Benchmark
      PROGRAM = File.expand_path("../processes/load.rb", __dir__)
      WINDOW_SECONDS = 0.5
      CLIENTS_PER_WORKER = 4
      # Each process of clients is one Ruby, which keeps up with so many workers.
      WORKERS_PER_LOAD_PROCESS = 4
      # How long the clients' processes may take to start, and to end after their time.
      START_SECONDS = 0.5
      END_SECONDS = 60
      PAGES = [
        ["/", "text/html"], ["/api/books?page=1", "application/json"],
        ["/books/7", "text/html"], ["/api/books/123", "application/json"],
        ["/books?page=3&locale=de", "text/html"],
        ["/api/books?genre=crime&page=2", "application/json"],
        ["/orders/77", "text/html"], ["/api/books/456", "application/json"],
        ["/books/456?locale=de", "text/html"], ["/api/books/42", "application/json"]
      ].freeze

      def run
        super
      ensure
        @server&.stop
      end

      private

      # The application is booted in the server.
      def boot; end

      def prepare
        @workers = job.vcpus
        @clients = @workers * CLIENTS_PER_WORKER
        @server = PumaServer.new(flags: job.flags, workers: @workers,
                                 log: File.join(job.scratch, "puma.log"))
        @server.start
      end

      def check
        @pages = PAGES.map do |path, accept|
          response = get(path, accept)
          expect "status of #{path}", 200, response.status
          expect "length of #{path}", (1..), response.length
          { path: path, accept: accept, length: response.length }
        end
        expect "books on the page", 20, get("/", "text/html").body.scan("<article").size
        expect "books in the list", 20,
               JSON.parse(get("/api/books?page=1", "application/json").body)["books"].size
        @ruby_description = JSON.parse(get("/about", "*/*").body).fetch("ruby")
      end

      def get(path, accept)
        connection = HttpConnection.new(@server.port)
        connection.get(HttpConnection.request_for(path, accept: accept))
      ensure
        connection&.close
      end

      def take_samples
        warmup = windows(job.timing.warmup_seconds, 1)
        bench = windows(job.timing.measured_seconds, job.timing.samples)
        start = Clock.now + START_SECONDS
        requests = load_server(start + ((warmup + bench) * WINDOW_SECONDS))
        measured = start + (warmup * WINDOW_SECONDS)
        @latencies = requests.filter_map { |ended, took| took if ended >= measured }
        @peak_bytes = Memory.peak_bytes_of_family(@server.process_id)

        @seconds_per_request = seconds_per_request(requests, measured, bench)
        Sampler::Samples.new(warmup: seconds_per_request(requests, start, warmup),
                             bench: @seconds_per_request)
      end

      def windows(seconds, at_least)
        [(seconds / WINDOW_SECONDS).ceil, at_least].max
      end

      # Runs the clients until `finish` and returns, for each request, when it ended and how long it
      # took.
      def load_server(finish)
        processes = (@workers / WORKERS_PER_LOAD_PROCESS.to_f).ceil
        shares = Array.new(processes) { |number| share(@clients, processes, number) }
        first = 0
        loads = shares.map do |clients|
          load_process(clients, first, finish).tap { first += clients }
        end
        loads.flat_map do |thread|
          unless thread.join(finish - Clock.now + END_SECONDS)
            raise Failure, "the clients did not get their answers within #{END_SECONDS} s"
          end

          thread.value.unpack("d*").each_slice(2).to_a
        end
      end

      def share(total, parts, number)
        (total / parts) + (number < total % parts ? 1 : 0)
      end

      # The clients are always run by the interpreter, so that they cost both variants the same.
      def load_process(clients, first_client, finish)
        arguments = JSON.generate({ port: @server.port, pages: @pages, clients: clients,
                                    first_client: first_client, finish: finish })
        thread = Thread.new do
          output, errors, status = Open3.capture3(RbConfig.ruby, "--disable-gems", PROGRAM,
                                                  arguments, binmode: true)
          raise Failure, "the clients failed: #{errors.strip}" unless status.success?

          output
        end
        thread.report_on_exception = false
        thread
      end

      # A window in which no request ended counts towards the next one that had some.
      def seconds_per_request(requests, from, count)
        ended = requests.group_by { |time, _| ((time - from) / WINDOW_SECONDS).floor }
        waited = 0
        times = (0...count).filter_map do |window|
          waited += WINDOW_SECONDS
          next unless ended.key?(window)

          (waited / ended[window].size).tap { waited = 0 }
        end
        raise Failure, "no request was answered in #{count * WINDOW_SECONDS} s" if times.empty?

        times
      end

      def extra
        {
          requests_per_second: @seconds_per_request.map { |seconds| 1 / seconds },
          p50_seconds: Statistics.quantile(@latencies, 0.50),
          p95_seconds: Statistics.quantile(@latencies, 0.95),
          p99_seconds: Statistics.quantile(@latencies, 0.99),
          workers: @workers, clients: @clients
        }
      end

      attr_reader :peak_bytes, :ruby_description
    end
  end
end
