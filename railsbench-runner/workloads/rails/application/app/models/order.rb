# frozen_string_literal: true

class Order < ApplicationRecord
  STATUSES = %w[placed paid shipped].freeze

  belongs_to :customer
  has_many :line_items, dependent: :destroy
  has_many :books, through: :line_items

  accepts_nested_attributes_for :line_items

  before_validation :fill_in_defaults, on: :create
  before_save :add_up

  validates :number, format: { with: /\A[A-Z]\d{8}\z/ }, uniqueness: true
  validates :status, inclusion: { in: STATUSES }
  validates :line_items, presence: true

  private

  def fill_in_defaults
    self.status ||= "placed"
    self.placed_at ||= Time.current
  end

  def add_up
    self.total_cents = line_items.sum { |item| item.quantity * item.unit_price_cents }
  end
end
