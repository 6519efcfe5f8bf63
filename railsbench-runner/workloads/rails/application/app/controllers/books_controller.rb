# frozen_string_literal: true

class BooksController < ApplicationController
  def index
    @page = [params[:page].to_i, 1].max
    @genre = params[:genre]
    found = Book.of_genre(@genre)
    @count = found.count
    @books = found.includes(:author).page(@page)
    session[:last_page] = @page
  end

  def show
    @book = Book.includes(:author, reviews: :customer).find(params[:id])
    @related = @book.author.books.where.not(id: @book.id).order(:title, :id).limit(5)
  end
end
