# frozen_string_literal: true

class Review < ApplicationRecord
  belongs_to :book, counter_cache: true
  belongs_to :customer

  validates :rating, inclusion: { in: 1..5 }
  validates :body, presence: true, length: { maximum: 2_000 }
end
