# frozen_string_literal: true

class ReviewsController < ApplicationController
  def index
    @book = Book.find(params[:book_id])
    @reviews = @book.reviews.includes(:customer).order(rating: :desc, id: :asc)
  end
end
