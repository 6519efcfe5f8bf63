# frozen_string_literal: true

# Takes its books out of stock as long as it exists.
class LineItem < ApplicationRecord
  belongs_to :order
  belongs_to :book

  before_validation :take_price, on: :create

  validates :quantity, numericality: { only_integer: true, greater_than: 0, less_than: 100 }
  validates :unit_price_cents, numericality: { only_integer: true, greater_than: 0 }
  validate :enough_in_stock, on: :create

  after_create { move_stock(-quantity) }
  after_update { move_stock(quantity_before_last_save - quantity) }
  after_destroy { move_stock(quantity) }

  private

  def take_price
    self.unit_price_cents ||= book&.price_cents
  end

  def enough_in_stock
    errors.add(:quantity, :too_many) if book && quantity && quantity > book.stock
  end

  def move_stock(difference)
    Book.update_counters(book_id, stock: difference) unless difference.zero?
  end
end
