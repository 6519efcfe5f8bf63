# frozen_string_literal: true

require_relative "../lib/railsbench/in_process_client"

module Railsbench
  module Benchmarks
    # Lists and single books as JSON. An iteration is one request.
    class RailsRequestJson < Benchmark
      PATHS = [
        "/api/books?page=1", "/api/books/7", "/api/books/123", "/api/books?page=12&genre=",
        "/api/books/456", "/api/books?genre=crime&page=2", "/api/books/599", "/api/books/42"
      ].freeze
      iterations_per_sample PATHS.size

      private

      def prepare
        @client = InProcessClient.new
        @requests = PATHS.map do |path|
          @client.request("GET", path, accept: "application/json")
        end
      end

      def check
        list = JSON.parse(@client.fetch(@requests[0]).body)
        expect "page", 1, list["page"]
        expect "books on a page", 20, list["books"].size
        expect "author of a book in the list", String, list["books"][0]["author"]["name"]

        book = JSON.parse(@client.fetch(@requests[1]).body)
        expect "id of the book", 7, book["id"]
        expect "reviews of the book", book["reviews_count"], book["reviews"].size

        genres = JSON.parse(@client.fetch(@requests[5]).body)["books"].map { |each| each["genre"] }
        expect "genres on a page of crime", ["crime"], genres.uniq
      end

      def iterate
        @requests.each { |request| @client.perform(request) }
      end
    end
  end
end
