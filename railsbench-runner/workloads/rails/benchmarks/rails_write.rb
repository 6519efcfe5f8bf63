# frozen_string_literal: true

require_relative "../lib/railsbench/in_process_client"

module Railsbench
  module Benchmarks
    # Orders by the API: one that is refused, one that is made, changed and removed, with nested
    # records, validations, callbacks and transactions. An iteration is one such round of four
    # requests; it leaves the tables as they were.
    class RailsWrite < Benchmark
      iterations_per_sample 2

      private

      def prepare
        @client = InProcessClient.new
        books = Book.where("stock > 10").order(:id).limit(3).ids
        items = books.map { |id| { book_id: id, quantity: 2 } }
        order = { customer_id: 1, number: "X00000001", line_items_attributes: items }
        @refused = @client.request("POST", "/api/orders", status: 422,
                                   json: { order: { **order, number: "wrong", customer_id: 0 } })
        @created = @client.request("POST", "/api/orders", status: 201, json: { order: order })
        @before = tables
      end

      def check
        errors = JSON.parse(@client.fetch(@refused).body).fetch("errors")
        expect "fields that are refused", %w[customer number], errors.keys.sort
        expect "tables after a refused order", @before, tables

        order = create
        expect "items of the new order", 3, order["line_items"].size
        expect "orders after one was made", @before[:orders] + 1, Order.count
        expect "stock after the sale", @before[:stock] - 6, Book.sum(:stock)

        changed = JSON.parse(@client.fetch(update_request(order)).body)
        expect "status of the changed order", "paid", changed["status"]
        price = order["line_items"][0]["unit_price_cents"]
        expect "total of the changed order", order["total_cents"] + price, changed["total_cents"]

        @client.perform(destroy_request(order))
        check_afterwards
      end

      def check_afterwards
        expect "tables at the end", @before, tables
      end

      def iterate
        self.class.iterations_per_sample.times do
          @client.perform(@refused)
          order = create
          @client.perform(update_request(order))
          @client.perform(destroy_request(order))
        end
      end

      def create
        JSON.parse(@client.fetch(@created).body)
      end

      def update_request(order)
        item = { id: order["line_items"][0]["id"], quantity: 3 }
        @client.request("PATCH", "/api/orders/#{order["id"]}",
                        json: { order: { status: "paid", line_items_attributes: [item] } })
      end

      def destroy_request(order)
        @client.request("DELETE", "/api/orders/#{order["id"]}", status: 204)
      end

      def tables
        { orders: Order.count, line_items: LineItem.count, stock: Book.sum(:stock) }
      end
    end
  end
end
