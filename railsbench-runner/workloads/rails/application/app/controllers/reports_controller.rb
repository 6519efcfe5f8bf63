# frozen_string_literal: true

# Adds up in Ruby what a database would do better: a request that makes many objects, as reports
# and exports in real applications do.
class ReportsController < ApplicationController
  def sales
    items = LineItem.includes(:book, order: :customer).to_a
    @genres = totals(items.group_by { |item| item.book.genre })
    @customers = totals(items.group_by { |item| item.order.customer }).first(50)
  end

  private

  def totals(groups)
    rows = groups.map do |key, items|
      { key: key, copies: items.sum(&:quantity),
        revenue: items.sum { |item| item.quantity * item.unit_price_cents } / 100.0 }
    end
    rows.sort_by { |row| [-row[:revenue], row[:key].to_param.to_s] }
  end
end
