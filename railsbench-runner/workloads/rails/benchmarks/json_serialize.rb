# frozen_string_literal: true

module Railsbench
  module Benchmarks
    # Records that are loaded beforehand, with what belongs to them, become JSON. An iteration is
    # one document of 50 books.
    class JsonSerialize < Benchmark
      private

      def prepare
        @books = Book.includes(:author, reviews: :customer).order(:id).limit(50).to_a
      end

      def check
        books = JSON.parse(serialize)
        expect "books", 50, books.size
        expect "reviews", @books.sum { |book| book.reviews.size },
               books.sum { |book| book["reviews"].size }
        expect "fields of a book",
               %w[author average_rating created_at description genre id isbn price_cents
                  published_on reviews reviews_count stock title updated_at], books[0].keys.sort
        expect "a time", "2024-01-01T00:00:00.000Z", books[0]["created_at"]
      end

      def iterate
        serialize
      end

      def serialize
        ActiveSupport::JSON.encode(@books.as_json(**Book::DETAIL))
      end
    end
  end
end
