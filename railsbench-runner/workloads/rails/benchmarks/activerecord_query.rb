# frozen_string_literal: true

module Railsbench
  module Benchmarks
    # Active Record alone: preloading, joins, aggregates and large results. An iteration does each
    # of the queries once.
    class ActiverecordQuery < Benchmark
      private

      def check
        expect "orders with what belongs to them", 100, preloaded.size
        expect "genres sold", Book::GENRES.size, sold_by_genre.size
        expect "copies sold", LineItem.sum(:quantity), sold_by_genre.values.sum
        expect "rows of a large result", 2_400, ratings.size
        expect "customers", Customer.joins(:orders).distinct.count, customers_with_orders.size
        expect "authors", 10, best_authors.size
        expect "books", Book.in_stock.count, books_by_id.size
      end

      def iterate
        preloaded
        sold_by_genre
        ratings
        customers_with_orders
        best_authors
        books_by_id
      end

      def preloaded
        orders = Order.includes(:customer, line_items: { book: :author }).order(:id).limit(100).to_a
        orders.each { |order| order.line_items.each { |item| item.book.author.name } }
      end

      def sold_by_genre
        LineItem.joins(:book).group("books.genre").sum(:quantity)
      end

      def ratings
        Review.joins(:book).order(:id).pluck(:rating, "books.title", :created_at)
      end

      def customers_with_orders
        Customer.joins(:orders).where(orders: { status: Order::STATUSES }).distinct
                .order(:name).to_a
      end

      def best_authors
        Author.joins(books: :reviews).group("authors.id").having("COUNT(reviews.id) > 5")
              .order(Arel.sql("AVG(reviews.rating) DESC")).limit(10).to_a
      end

      def books_by_id
        books = {}
        Book.in_stock.find_each(batch_size: 200) { |book| books[book.id] = book }
        books
      end
    end
  end
end
