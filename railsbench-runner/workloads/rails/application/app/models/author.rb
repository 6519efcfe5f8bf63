# frozen_string_literal: true

class Author < ApplicationRecord
  has_many :books, dependent: :restrict_with_error

  validates :name, :country, presence: true
end
