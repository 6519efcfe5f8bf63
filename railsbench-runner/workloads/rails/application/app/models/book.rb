# frozen_string_literal: true

class Book < ApplicationRecord
  GENRES = %w[biography crime fantasy history poetry science travel].freeze
  PER_PAGE = 20

  # What the API shows of a book, in a list and on its own.
  SUMMARY = {
    only: %i[id title isbn genre price_cents stock published_on],
    include: { author: { only: %i[id name country] } }
  }.freeze
  DETAIL = {
    except: %i[author_id],
    methods: :average_rating,
    include: {
      author: { only: %i[id name country biography] },
      reviews: { only: %i[id rating body created_at],
                 include: { customer: { only: %i[id name city] } } }
    }
  }.freeze

  belongs_to :author
  has_many :reviews, dependent: :destroy
  has_many :line_items, dependent: :restrict_with_error
  has_many :orders, through: :line_items

  validates :title, presence: true, length: { maximum: 120 }
  validates :isbn, format: { with: /\A978\d{10}\z/ }, uniqueness: true
  validates :genre, inclusion: { in: GENRES }
  validates :price_cents, numericality: { only_integer: true, greater_than: 0 }
  validates :stock, numericality: { only_integer: true, greater_than_or_equal_to: 0 }

  scope :in_stock, -> { where("stock > 0") }
  scope :of_genre, ->(genre) { genre.present? ? where(genre: genre) : all }
  scope :page, ->(number) { order(:title, :id).limit(PER_PAGE).offset((number - 1) * PER_PAGE) }

  def average_rating
    return if reviews.empty?

    reviews.sum(&:rating).fdiv(reviews.size).round(1)
  end

  def price
    price_cents / 100.0
  end
end
