# frozen_string_literal: true

module Api
  class BooksController < BaseController
    def index
      page = [params[:page].to_i, 1].max
      books = Book.of_genre(params[:genre]).includes(:author).page(page)
      render json: { page: page, books: books.as_json(**Book::SUMMARY) }
    end

    def show
      book = Book.includes(:author, reviews: :customer).find(params[:id])
      render json: book.as_json(**Book::DETAIL)
    end
  end
end
