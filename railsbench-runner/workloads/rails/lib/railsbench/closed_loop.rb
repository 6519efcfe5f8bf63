# frozen_string_literal: true

require_relative "clock"
require_relative "failure"
require_relative "http_connection"

module Railsbench
  # Clients that each send a request as soon as they have the answer to the one before. Every answer
  # is checked.
  class ClosedLoop
    # Clients come and go, so that connections do not stay with the worker they met first, and each
    # worker gets its share.
    REQUESTS_PER_CONNECTION = 100

    # `pages`: `{path:, accept:, length:}` of each page, in the order of asking; every client starts
    # elsewhere in it. `first_client` numbers the clients across several processes. `finish` is the
    # time of Clock at which they stop.
    def initialize(port:, pages:, clients:, first_client:, finish:)
      @port = port
      @pages = pages.map do |page|
        [HttpConnection.request_for(page.fetch(:path), accept: page.fetch(:accept)), page]
      end
      @clients = clients
      @first_client = first_client
      @finish = finish
    end

    # For each request the time at which it ended and how long it took, all in one flat list.
    def run
      threads = Array.new(@clients) do |number|
        Thread.new { client(@first_client + number) }
      end
      threads.each { |thread| thread.report_on_exception = false }
      threads.flat_map(&:value)
    rescue SystemCallError, IOError => error
      raise Failure, "a connection to the server failed: #{error.message}"
    end

    private

    def client(number)
      times = []
      position = number * 7
      until Clock.now >= @finish
        connection = HttpConnection.new(@port)
        REQUESTS_PER_CONNECTION.times do
          request, page = @pages[position % @pages.size]
          position += 1
          before = Clock.now
          response = connection.get(request)
          after = Clock.now
          check(page, response)
          times << after << (after - before)
          break if after >= @finish || !connection.reusable?
        end
        connection.close
      end
      times
    end

    def check(page, response)
      return if response.status == 200 && response.length == page.fetch(:length)

      raise Failure, "GET #{page.fetch(:path)} answered #{response.status} with " \
                     "#{response.length} bytes, not 200 with #{page.fetch(:length)}"
    end
  end
end
