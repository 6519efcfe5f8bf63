# frozen_string_literal: true

require_relative "../lib/railsbench/in_process_client"

module Railsbench
  module Benchmarks
    # Pages in two languages, with layout, partials and session. An iteration is one request.
    class RailsRequestHtml < Benchmark
      PATHS = [
        "/", "/books/7", "/books?page=3&locale=de", "/books/123/reviews", "/orders/77?locale=de",
        "/books/456?locale=de", "/books?genre=crime", "/orders/500"
      ].freeze
      iterations_per_sample PATHS.size

      private

      def prepare
        @client = InProcessClient.new
        @requests = PATHS.map { |path| @client.request("GET", path, accept: "text/html") }
      end

      def check
        home, book, german, = @requests.map { |request| @client.fetch(request) }
        expect "books on the page", 20, home.body.scan("<article").size
        expect "layout", /<title>Catalogue, page 1 \| The Bookshop<\/title>/, home.body
        expect "title of the book", /<h2>#{Regexp.escape(ERB::Util.h(Book.find(7).title))}<\/h2>/,
               book.body
        expect "German page", /<html lang="de">.*Katalog, Seite 3/m, german.body
        expect "price in German", /\d+,\d\d €/, german.body
        [home, book, german].each do |page|
          expect "missing translations", nil, page.body[/translation.missing/i]
        end
        expect "content type", "text/html; charset=utf-8", content_type(home)
      end

      # Header names are written in lower case from Rack 3 on.
      def content_type(response)
        response.headers.to_h.transform_keys(&:downcase)["content-type"]
      end

      def iterate
        @requests.each { |request| @client.perform(request) }
      end
    end
  end
end
