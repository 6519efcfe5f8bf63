# frozen_string_literal: true

module BooksHelper
  def genre_name(genre)
    t(genre, scope: :genres)
  end

  def genre_choices
    Book::GENRES.map { |genre| [genre_name(genre), genre] }
  end

  def stock_badge(book)
    level = if book.stock.zero? then :none
            elsif book.stock < 5 then :few
            else :plenty
            end
    tag.span(t(level, scope: :stock, count: book.stock), class: ["badge", "stock-#{level}"])
  end

  def rating_stars(rating)
    full = rating.round
    title = number_with_precision(rating, precision: 1)
    tag.span("★" * full + "☆" * (5 - full), class: "stars", title: title)
  end
end
