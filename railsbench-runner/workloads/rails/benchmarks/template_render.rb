# frozen_string_literal: true

module Railsbench
  module Benchmarks
    # ERB, layout, partials and helpers, on records that are loaded beforehand. An iteration renders
    # one page.
    class TemplateRender < Benchmark
      iterations_per_sample 6

      private

      def prepare
        # A renderer makes up a request for the helpers that need one.
        @renderer = ApplicationController.renderer.new(http_host: "bookshop.example")
        books = Book.includes(:author).page(2).to_a
        book = Book.includes(:author, reviews: :customer).find(7)
        related = book.author.books.where.not(id: book.id).order(:title, :id).limit(5).to_a
        order = Order.includes(:customer, line_items: { book: :author }).find(77)
        @pages = [
          ["books/index", { page: 2, genre: nil, count: Book.count, books: books }],
          ["books/show", { book: book, related: related }],
          ["orders/show", { order: order }]
        ]
      end

      def check
        statements = count_statements do
          list, book, order = @pages.map { |template, assigns| render(template, assigns) }
          expect "books on the page", 20, list.scan("<article").size
          expect "the language links of the layout", 2, book.scan(/hreflang="/).size
          expect "order's number", /Order B00000077/, order
        end
        expect "SQL statements while rendering", 0, statements
      end

      def iterate
        (self.class.iterations_per_sample / @pages.size).times do
          @pages.each { |template, assigns| render(template, assigns) }
        end
      end

      def render(template, assigns)
        @renderer.render(template: template, layout: "application", assigns: assigns)
      end

      def count_statements(&block)
        count = 0
        ActiveSupport::Notifications.subscribed(->(*) { count += 1 }, "sql.active_record", &block)
        count
      end
    end
  end
end
